package keycloak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
)

// Bounds on what the issuer may send.
const (
	maxDocument  = 256 << 10
	fetchTimeout = 5 * time.Second
	maxRedirects = 3
)

// document is an answer of the issuer.
type document struct {
	body   []byte
	maxAge time.Duration // of Cache-Control; 0 where it says nothing usable
}

// newClient returns the HTTP client for one realm. It keeps no connections:
// the next call is minutes away, and nothing is left behind when it ends.
func newClient() *http.Client {
	return &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSHandshakeTimeout:    3 * time.Second,
			ResponseHeaderTimeout:  fetchTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: sameHost,
	}
}

// sameHost refuses redirects that leave the host, which could move the trust
// in its keys to somebody else.
func sameHost(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	if next.URL.Host != first.Host || next.URL.Scheme != first.Scheme {
		return errors.New("redirected to another host")
	}
	if len(via) > maxRedirects {
		return errors.New("redirected too often")
	}
	return nil
}

// fetch gets one JSON document. The address has passed checkTransport.
func fetch(ctx context.Context, client *http.Client, address string) (document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return document{}, fmt.Errorf("ask the issuer: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return document{}, fmt.Errorf("ask the issuer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read only; nothing is lost
	if res.StatusCode != http.StatusOK {
		return document{}, fmt.Errorf("ask the issuer: GET %s: status %d", address, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1)) //nolint:forbidigo // bounded by the LimitReader
	if err != nil {
		return document{}, fmt.Errorf("read the issuer's answer: %w", err)
	}
	if len(body) > maxDocument {
		return document{}, fmt.Errorf("GET %s: more than 256 KiB", address)
	}
	return document{body: body, maxAge: maxAge(res.Header.Get("Cache-Control"))}, nil
}

// discovery is what we need of a realm's description.
type discovery struct {
	issuer  string
	jwksURI string
}

func discover(ctx context.Context, client *http.Client, realm string) (discovery, error) {
	doc, err := fetch(ctx, client, realm+discoveryPath)
	if err != nil {
		return discovery{}, err
	}
	members, err := strictjson.Object(doc.body, strictjson.MaxDepth)
	if err != nil {
		return discovery{}, fmt.Errorf("read the realm's description: %w", err)
	}
	var d discovery
	d.issuer, _ = members["issuer"].(string)
	d.jwksURI, _ = members["jwks_uri"].(string)
	u, err := url.Parse(d.jwksURI)
	if err != nil || d.jwksURI == "" {
		return discovery{}, errors.New("the realm's description names no jwks_uri")
	}
	if err := checkTransport(u); err != nil {
		return discovery{}, fmt.Errorf("the realm's jwks_uri %q: %w", d.jwksURI, err)
	}
	return d, nil
}

// maxAge reads max-age; Keycloak's own "no-cache" is no age.
func maxAge(cacheControl string) time.Duration {
	for part := range strings.SplitSeq(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}
