//go:build attack

package attack

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// headers drives the request side of header-cases.json. CANARY becomes a
// random word that no log, metric, upstream or answer may hold.
func (w *world) headers(t *testing.T) {
	canary := "canary-" + strings.ToLower(rand.Text())
	w.secrets.add(canary, "a credential in another header")
	drivers := map[string]func(*testing.T, headerCase){
		"H030": w.connectionOptions, "H037": w.compressedStream, "H038": w.expectContinue, "H039": w.conditional, "H041": w.longTrace,
	}
	for _, c := range readBoth[headerCase](t, "header-cases.json", "more-header.json") {
		if c.Side != "request" {
			continue
		}
		if drive := drivers[c.ID]; drive != nil {
			drive(t, c)
			continue
		}
		for _, tier := range []string{"free", "enterprise"} { // enterprise goes to a provider, where more headers pass
			both(func(path, proto string) {
				w.attack(t, c.ID, c.Name+" "+tier+" "+path+" "+proto, func(t *testing.T) { w.strange(t, c, canary, tier, path, proto) })
			})
		}
	}
}

// strange sends a header that is none of the gateway's business: it changes
// nothing and reaches nobody.
func (w *world) strange(t *testing.T, c headerCase, canary, tier, path, proto string) {
	subject, token := w.person(t, tier)
	header := bearer(token)
	for name, value := range c.Send {
		header.Set(name, strings.ReplaceAll(value, "CANARY", canary))
	}
	before := w.watch(t)
	asked, upstream := "claude-3-opus", w.internal
	switch {
	case tier == "enterprise" && path == messages:
		asked, upstream = "claude-opus-5-5", w.claude
	case tier == "enterprise":
		asked, upstream = "gpt-5", w.openai
	}
	r := w.send(t, request{site: "main", proto: proto, path: path, header: header, body: ask(asked, false)})
	w.clean(t, r)
	if r.status != http.StatusOK {
		t.Fatalf("status %d %s: the header had an effect", r.status, r.body)
	}
	w.wantCharge(t, subject, 1)
	if limit := r.header.Get("Ratelimit-Policy"); strings.Contains(limit, ";q=10;") != (tier == "free") {
		t.Errorf("limit %q on tier %s", limit, tier)
	}
	total := 0
	for name, n := range w.callCounts() {
		total += n - before.calls[name]
	}
	got := upstream.last(t)
	if want := map[bool]string{true: routedTo, false: asked}[tier == "free"]; total != 1 || got.model != want {
		t.Errorf("%d calls, the last for %s; want one for %s", total, got.model, want)
	}
	for name := range c.Send {
		if values := got.header.Values(name); len(values) > 0 && strings.Contains(strings.Join(values, " "), header.Get(name)) {
			t.Errorf("%s reached the upstream: %q", name, values)
		}
	}
	w.strangers(t, got, upstream)
}

// strangers fails the test if a call carries a secret that is not for it.
func (w *world) strangers(t *testing.T, c call, at *stub) {
	t.Helper()
	own := map[*stub]string{w.internal: internalKey, w.claude: claudeKey, w.openai: openaiKey}[at]
	for _, f := range w.secrets.in(c.path + "?" + c.query + "\n" + headerText(c.header) + string(c.body)) {
		if f.text != own {
			t.Errorf("a call of an upstream holds %s", f.whose)
		}
	}
}

// connectionOptions names headers in Connection that a careless proxy would
// strip: what the gateway sends arrives all the same.
func (w *world) connectionOptions(t *testing.T, c headerCase) {
	w.attack(t, c.ID, c.Name, func(t *testing.T) {
		_, token := w.person(t, "enterprise")
		body := string(ask("claude-opus-5-5", false))
		replies := w.raw(t, "main", head("POST", messages, "Host: x", "Connection: "+c.Send["Connection"]+", x-api-key, authorization",
			"Content-Type: application/json", "Anthropic-Version: 2023-06-01", "Authorization: Bearer "+token, fmt.Sprintf("Content-Length: %d", len(body)))+body)
		if len(replies) != 1 || replies[0].status != http.StatusOK {
			t.Fatalf("answers %+v, want one 200", replies)
		}
		got := w.claude.last(t).header
		for name, want := range map[string]string{"X-Api-Key": claudeKey, "Anthropic-Version": "2023-06-01", "Content-Type": "application/json"} {
			if got.Get(name) != want {
				t.Errorf("upstream got %s: %q, want %q", name, got.Get(name), want)
			}
		}
	})
}

// compressedStream asks for an encoding that the gateway could not meter.
func (w *world) compressedStream(t *testing.T, c headerCase) {
	both(func(path, proto string) {
		w.attack(t, c.ID, c.Name+" "+path+" "+proto, func(t *testing.T) {
			_, token := w.person(t, "free")
			header := bearer(token)
			header.Set("Accept-Encoding", c.Send["Accept-Encoding"])
			r := w.send(t, request{site: "main", proto: proto, path: path, header: header, body: ask("claude-3-opus", true)})
			if r.status != http.StatusOK || !strings.Contains(r.body, "word") {
				t.Fatalf("status %d %q, want a stream", r.status, r.body)
			}
			if got := w.internal.last(t).header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("upstream was asked for %q", got)
			}
			if line := w.logLine(t, r.header.Get("Request-Id")); line["tokens_out"] != 7.0 {
				t.Errorf("tokens_out %v in the log, want 7", line["tokens_out"])
			}
		})
	})
}

// expectContinue holds the body back: a bad token is refused before it is sent.
func (w *world) expectContinue(t *testing.T, c headerCase) {
	w.attack(t, c.ID, c.Name, func(t *testing.T) {
		before := w.watch(t)
		replies := w.raw(t, "main", head("POST", messages, "Host: x", "Content-Type: application/json", "Content-Length: 1000000",
			"Expect: "+c.Send["Expect"], "Authorization: Bearer a.b.c"))
		if len(replies) != 1 || replies[0].status != http.StatusUnauthorized {
			t.Fatalf("answers %+v, want one 401 and no 100", replies)
		}
		before.nothing(t)
	})
}

// conditional sends what caches understand: an answer is neither cut nor
// withheld, and counts as one.
func (w *world) conditional(t *testing.T, c headerCase) {
	both(func(path, proto string) {
		w.attack(t, c.ID, c.Name+" "+path+" "+proto, func(t *testing.T) {
			subject, token := w.person(t, "free")
			header := bearer(token)
			header.Set("If-None-Match", "*")
			header.Set("If-Match", `"x"`)
			for name, value := range c.Send {
				header.Set(name, value)
			}
			r := w.send(t, request{site: "main", proto: proto, path: path, header: header, body: ask("claude-3-opus", false)})
			if r.status != http.StatusOK || !strings.HasSuffix(r.body, "}") {
				t.Errorf("status %d %q, want the whole answer", r.status, r.body)
			}
			w.wantCharge(t, subject, 1)
			for name := range header {
				if values := w.internal.last(t).header.Values(name); name != "Authorization" && name != "Content-Type" && len(values) > 0 {
					t.Errorf("%s reached the upstream: %q", name, values)
				}
			}
		})
	})
}

// longTrace sends a header beyond all use.
func (w *world) longTrace(t *testing.T, c headerCase) {
	value, err := repeated(c.Send["tracestate"])
	if err != nil {
		t.Fatal(err)
	}
	w.attack(t, c.ID, c.Name, func(t *testing.T) {
		_, token := w.person(t, "free")
		before := w.watch(t)
		replies := w.raw(t, "main", plain("POST", messages, token, "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate: "+value))
		if len(replies) != 1 || replies[0].status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answers %.300v, want one 431", replies)
		}
		before.nothing(t)
	})
}
