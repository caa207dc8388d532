//go:build attack

package attack

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/keycloak/attacktest"
)

// tokens drives jwt-attacks.json.
func (w *world) tokens(t *testing.T) {
	start := time.Now()
	for _, c := range w.suite.Cases {
		both(func(path, proto string) {
			run := w.attack
			if c.Expect == "accept" || c.Expect == "accept-as-sub" {
				run = w.control
			}
			run(t, c.ID, c.Name+" "+path+" "+proto, func(t *testing.T) { w.token(t, c, path, proto) })
		})
	}
	w.attack(t, "listener", "x5u, jku and jwk are never fetched", func(t *testing.T) {
		if n := w.lab.Called(); n != 0 {
			t.Errorf("the listener was called %d times", n)
		}
	})
	w.attack(t, "fetches", "unknown kids do not flood the realm", func(t *testing.T) {
		if n, most := w.lab.Fetches(), int64(time.Since(start)/(10*time.Second))+3; n > most {
			t.Errorf("%d fetches of the key set, want at most %d", n, most)
		}
	})
}

// token drives one case on one endpoint.
func (w *world) token(t *testing.T, c attacktest.Case, path, proto string) {
	a := w.attempt(t, c, path, proto)
	site := "main"
	if w.sites[c.ID] != "" {
		site = c.ID
	}
	for _, poison := range a.First {
		w.secrets.addToken(poison, c.ID)
		refused(t, path, w.send(t, request{site: site, proto: proto, path: path, header: bearer(poison), body: ask("qwen3-32b", false)}), http.StatusUnauthorized)
	}
	before := w.watch(t)
	header := a.Header.Clone()
	header.Set("Content-Type", "application/json")
	target := path
	if len(a.Query) > 0 {
		target += "?" + a.Query.Encode()
	}
	r := w.send(t, request{site: site, proto: proto, path: target, header: header, body: ask("qwen3-32b", false)})
	w.clean(t, r)
	subject := auth.SubjectOf(w.lab.Issuer, a.Sub)
	if r.status < 300 && c.Expect != "reject" {
		w.wantCharge(t, subject, 1)
		if limit := r.header.Get("Ratelimit-Policy"); strings.HasPrefix(c.Expect, "tier:") && !strings.Contains(limit, ";q=10;") {
			t.Errorf("the tier is not the default: %q (%s)", limit, c.Why)
		}
		return
	}
	switch c.Expect {
	case "accept", "accept-as-sub":
		t.Errorf("status %d %s, want 2xx (%s)", r.status, r.body, c.Why)
	case "reject":
		refused(t, path, r, http.StatusUnauthorized)
	case "no-fetch":
		refused(t, path, r, http.StatusUnauthorized)
	case "tier:default-or-reject":
		refused(t, path, r, http.StatusUnauthorized, http.StatusBadRequest, http.StatusForbidden)
	default:
		t.Fatalf("unknown expectation %q", c.Expect)
	}
	before.nothing(t)
}

// attempt builds the case's token. Where the recipe leaves the person open it
// is someone new, so that counters tell attempts apart.
func (w *world) attempt(t *testing.T, c attacktest.Case, path, proto string) *attacktest.Attempt {
	t.Helper()
	claims := map[string]any{"sub": fmt.Sprintf("%s%s-%s", c.ID, strings.ReplaceAll(path, "/", "-"), proto)}
	for name, value := range c.Claims {
		claims[name] = value
	}
	c.Claims = claims
	a, err := w.lab.Attempt(w.suite, c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.secrets.addToken(a.Token, c.ID)
	return a
}
