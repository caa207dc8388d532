//go:build attack

package attack

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// paths drives the targets of path-cases.json as raw bytes, with and without a
// token, on both versions of HTTP.
func (w *world) paths(t *testing.T) {
	for _, c := range readBoth[pathCase](t, "path-cases.json", "more-path.json") {
		for _, proto := range []string{"h1", "h2"} {
			if c.Proto != "" && c.Proto != proto {
				continue
			}
			want := c.expectation(t)
			if proto == "h2" && !strings.HasPrefix(c.Target, "/") && c.Method != http.MethodConnect {
				// No :path of HTTP/2 has this form (RFC 9113, 8.3.1).
				want = pathExpectation{refused: true, statuses: []int{http.StatusBadRequest}}
			}
			run := w.attack
			if want.served && !want.refused {
				run = w.control
			}
			w.attack(t, c.ID, c.Method+" "+c.Target+" "+proto+" without a token", func(t *testing.T) { w.path(t, c, want, proto, false) })
			run(t, c.ID, c.Method+" "+c.Target+" "+proto+" with a token", func(t *testing.T) { w.path(t, c, want, proto, true) })
		}
	}
}

// pathExpectation is what a target may lead to.
type pathExpectation struct {
	served   bool // 401 without a token; with one, one charge and the plain path upstream
	refused  bool // nothing happens, whatever the token
	statuses []int
	allow    string
}

func (c pathCase) expectation(t *testing.T) pathExpectation {
	t.Helper()
	var e pathExpectation
	for _, alternative := range strings.Split(c.Expect, "  OR  ") {
		switch alternative {
		case "200 with a token",
			"same decision as /v1/messages: 401 without a token; one charge with one; upstream path is exactly /v1/messages":
			e.served = true
		case "404 (or 400) from the gateway, with or without a token: no upstream request, no charge":
			// The README of the cases lists 405 too: a path that has other methods.
			e.refused, e.statuses = true, append(e.statuses, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed)
		case "405 with Allow: POST; no charge, no upstream":
			e.refused, e.statuses, e.allow = true, append(e.statuses, http.StatusMethodNotAllowed), "POST"
		case "405":
			e.refused, e.statuses = true, append(e.statuses, http.StatusMethodNotAllowed)
		case "405 or 400; no tunnel":
			e.refused, e.statuses = true, append(e.statuses, http.StatusMethodNotAllowed, http.StatusBadRequest)
		case "extended CONNECT (:protocol=websocket) refused":
			e.refused, e.statuses = true, append(e.statuses, http.StatusMethodNotAllowed, http.StatusBadRequest, http.StatusNotFound)
		default:
			t.Fatalf("%s: unknown expectation %q", c.ID, alternative)
		}
	}
	return e
}

// canonical is the path that a target may reach upstream.
func (c pathCase) canonical() string {
	if strings.Contains(c.Target, "chat") {
		return chat
	}
	return messages
}

// path drives one target.
func (w *world) path(t *testing.T, c pathCase, want pathExpectation, proto string, known bool) {
	subject, token := w.person(t, "free")
	if !known {
		token = ""
	}
	before := w.watch(t)
	status, allow := w.target(t, c, proto, token)
	switch {
	case want.refused && (status == 0 && proto == "h2" || slices.Contains(want.statuses, status)):
		before.nothing(t)
		if want.allow != "" && proto == "h1" && !strings.Contains(allow, want.allow) {
			t.Errorf("allow: %q, want %s in it", allow, want.allow)
		}
	case want.served && !known && status == http.StatusUnauthorized:
		before.nothing(t)
	case want.served && known && status == http.StatusOK:
		w.wantCharge(t, subject, 1)
		calls := w.internal.calls()[before.calls["internal"]:]
		if len(calls) != 1 || calls[0].path != c.canonical() || calls[0].query != "" {
			t.Errorf("upstream got %+v, want one call of %s", calls, c.canonical())
		}
	default:
		t.Errorf("status %d, want %s", status, c.Expect)
	}
}

// target sends the request; status 0 is a connection or stream given up.
func (w *world) target(t *testing.T, c pathCase, proto, token string) (status int, allow string) {
	t.Helper()
	if proto == "h1" {
		replies := w.raw(t, "main", plain(c.Method, c.Target, token))
		if len(replies) == 0 {
			return 0, ""
		}
		if len(replies) > 1 {
			t.Errorf("%d answers to one request", len(replies))
		}
		return replies[0].status, replies[0].header.Get("Allow")
	}
	fields := []field{{":method", c.Method}, {":authority", "gateway.test"}}
	switch {
	case c.Method == http.MethodConnect && strings.HasPrefix(c.Target, "/"): // RFC 8441
		fields = append(fields, field{":protocol", "websocket"}, field{":scheme", "http"}, field{":path", c.Target})
	case c.Method == http.MethodConnect:
		fields[1].value = c.Target
	default:
		fields = append(fields, field{":scheme", "http"}, field{":path", c.Target})
	}
	fields = append(fields, field{"content-type", "application/json"})
	if token != "" {
		fields = append(fields, field{"authorization", "Bearer " + token})
	}
	r := w.rawH2(t, "main", fields, ask(routedTo, false))
	_, _ = fmt.Sscan(r.status, &status) // no status: 0
	return status, ""
}
