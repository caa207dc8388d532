//go:build attack

package attack

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client speaks one version of HTTP to the gateway.
type client struct{ *http.Client }

func newClient(t *testing.T, h2 bool) *client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetUnencryptedHTTP2(h2)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{&http.Client{Transport: transport, Timeout: 60 * time.Second}}
}

// request is one HTTP request as a test writes it.
type request struct {
	site, proto  string // proto: h1 or h2
	method, path string // method "" is POST
	header       http.Header
	body         []byte
	chunked      bool // the body's length is not announced
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // that broke the body off
}

// bearer is a header with a token.
func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
}

// send makes a request and reads its answer.
func (w *world) send(t *testing.T, r request) reply {
	t.Helper()
	res, err := w.open(t, r)
	if err != nil {
		t.Fatalf("%s %s on %s: %v", r.method, r.path, r.proto, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 96<<20))
	return reply{status: res.StatusCode, header: res.Header, body: string(body), err: err}
}

func (w *world) open(t *testing.T, r request) (*http.Response, error) {
	t.Helper()
	var body io.Reader = bytes.NewReader(r.body)
	if r.chunked {
		body = struct{ io.Reader }{body}
	}
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+w.sites[r.site]+r.path, body)
	if err != nil {
		return nil, err
	}
	req.Header = r.header.Clone()
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	return w.clients[r.proto].Do(req)
}

// ask is a small request for a model in the dialect of the path.
func ask(model string, stream bool) []byte {
	return fmt.Appendf(nil, `{"model":%q,"max_tokens":16,"stream":%v,"messages":[{"role":"user","content":"hi"}]}`, model, stream)
}

// get fetches a page.
func get(url string) (string, error) {
	res, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, res.Status)
	}
	return string(body), err
}

// metrics returns the gateway's metrics page.
func (w *world) metrics(t *testing.T) string {
	t.Helper()
	page, err := get("http://" + w.sites["main"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// metric returns the value of a series as written; "" where it does not exist.
func metric(page, series string) string {
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
