package keycloak

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

const discoveryPath = "/.well-known/openid-configuration"

// RealmURL returns a realm's URL in the one form that all else is built on: no
// surrounding blanks, no trailing slash, not the discovery document's address.
// Plain http is accepted only towards hosts that do not leave the machine, the
// cluster or the private network. Errors never repeat credentials in the URL.
func RealmURL(s string) (string, error) {
	s = strings.TrimRight(strings.TrimSpace(s), "/")
	s = strings.TrimRight(strings.TrimSuffix(s, discoveryPath), "/")
	if s == "" {
		return "", errors.New("the realm URL is empty (https://<host>/realms/<realm>)")
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New("the realm URL is not a URL (https://<host>/realms/<realm>)")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("the realm URL has a user, query or fragment; it is https://<host>/realms/<realm>")
	}
	if err := checkTransport(u); err != nil {
		return "", fmt.Errorf("the realm URL %q: %w", s, err)
	}
	return s, nil
}

// checkTransport refuses addresses on which somebody could swap the keys.
func checkTransport(u *url.URL) error {
	switch {
	case u.Host == "" || u.Hostname() == "":
		return errors.New("names no host")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return errors.New("is neither https nor http")
	case !isInternal(u.Hostname()):
		return errors.New("is plain http to a public host; use https")
	default:
		return nil
	}
}

// isInternal reports whether a host is on this machine, in the cluster or on a
// private network: loopback and private addresses, names without a dot, and
// names below .svc, .svc.cluster.local, .local and .localhost.
func isInternal(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback() || addr.IsPrivate()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return true
	}
	for _, suffix := range []string{".svc", ".local", ".localhost"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
