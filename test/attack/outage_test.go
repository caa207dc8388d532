//go:build attack

package attack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// outages takes parts away: each refusal says what is down, that trying again
// helps, and costs nothing.
func (w *world) outages(t *testing.T) {
	keep := func(*request) {}
	w.frail.Kill()
	for _, row := range []bad{
		{name: "identity provider down", site: "no-idp", change: keep, anthropic: wanted{503, "api_error"}, openai: wanted{503, "auth_unavailable"}, says: "The sign-in service cannot be reached", headers: []string{"Retry-After"}},
		{name: "store down", site: "no-store", change: keep, anthropic: wanted{503, "api_error"}, openai: wanted{503, "quota_unavailable"}, says: "The quota store cannot be reached", headers: []string{"Retry-After"}},
	} {
		both(func(path, proto string) {
			w.attack(t, "outage", row.name+" "+path+" "+proto, func(t *testing.T) { w.badInput(t, row, path, proto) })
		})
	}
	w.frail.Restart()
	both(func(path, proto string) {
		w.control(t, "outage", "the store is back "+path+" "+proto, func(t *testing.T) {
			_, token := w.person(t, "free")
			harness.Poll(t, 20*time.Second, "the store to be used again", func() error {
				r := w.send(t, request{site: "no-store", proto: proto, path: path, header: bearer(token), body: ask("claude-3-opus", false)})
				if r.status != http.StatusOK {
					return fmt.Errorf("status %d %s", r.status, r.body)
				}
				return nil
			})
		})
		w.attack(t, "outage", "backend down "+path+" "+proto, func(t *testing.T) {
			w.unanswered(t, request{site: "no-backend", proto: proto, path: path}, "cannot be reached at the moment")
		})
	})
	w.brokenUpstreams(t)
	w.leavers(t)
}

// unanswered makes a request that no backend answers: it is given back before
// the error leaves.
func (w *world) unanswered(t *testing.T, r request, says string) {
	t.Helper()
	subject, token := w.person(t, "free")
	r.header = bearer(token)
	if r.body == nil {
		r.body = ask("claude-3-opus", false)
	}
	got := w.send(t, r)
	w.clean(t, got)
	w.hold(t, bad{anthropic: wanted{529, "overloaded_error"}, openai: wanted{503, "overloaded"}, says: says, headers: []string{"Retry-After"}}, r.path, got)
	if !strings.Contains(got.body, "Not counted") {
		t.Errorf("%s does not say that nothing was counted", got.body)
	}
	w.wantCharge(t, subject, 0)
}

// brokenUpstreams lets the upstream of each lane fail in the ways that a
// client sees.
func (w *world) brokenUpstreams(t *testing.T) {
	for _, l := range w.lanes() {
		for _, f := range []struct {
			name   string
			stream bool
			script http.HandlerFunc
			judge  func(*testing.T, reply)
		}{
			{
				"dies in mid-stream", true, func(rw http.ResponseWriter, _ *http.Request) { begin(rw, l.path); panic(http.ErrAbortHandler) },
				func(t *testing.T, r reply) { w.brokeOff(t, l.path, r) },
			},
			{
				"ends in mid-stream without an end", true, func(rw http.ResponseWriter, _ *http.Request) { begin(rw, l.path) },
				func(t *testing.T, r reply) { w.brokeOff(t, l.path, r) },
			},
			{"dies before any content", true, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(rw, opening(l.path))
				flush(rw)
				panic(http.ErrAbortHandler)
			}, func(t *testing.T, r reply) { refused(t, l.path, r, 502, 503, 529) }},
			{"answers nothing with 200", false, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
			}, func(t *testing.T, r reply) { refused(t, l.path, r, 502, 503, 529) }},
			{"answers 503 with a page", false, page(503), func(t *testing.T, r reply) { refused(t, l.path, r, 503, 529) }},
			{"answers 502 with a page", false, page(502), func(t *testing.T, r reply) { refused(t, l.path, r, 502, 503, 529) }},
			{"answers 500 with a page", false, page(500), func(t *testing.T, r reply) { refused(t, l.path, r, 500, 502) }},
			{"redirects", false, func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, w.lab.Listener, http.StatusTemporaryRedirect)
			}, func(t *testing.T, r reply) { refused(t, l.path, r, 502, 503, 529) }},
		} {
			w.attack(t, "outage", "upstream "+f.name+" "+l.name, func(t *testing.T) {
				l.upstream.play(t, f.script)
				r, subject := w.askLane(t, l, f.stream)
				f.judge(t, r)
				w.wantCharge(t, subject, 0)
				if strings.Contains(r.body, "10.7.0.3") || strings.Contains(r.body, "127.0.0.1") {
					t.Errorf("an internal address reached the client: %s", r.body)
				}
				if w.lab.Called() != 0 {
					t.Error("a redirect was followed")
				}
			})
		}
	}
}

func begin(rw http.ResponseWriter, path string) {
	rw.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(rw, opening(path)+content(path))
	flush(rw)
}

func page(status int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, "<html><h1>nginx on 10.7.0.3</h1></html>")
	}
}

// brokeOff wants a stream with content and an error event at its end.
func (w *world) brokeOff(t *testing.T, path string, r reply) {
	t.Helper()
	if r.status != http.StatusOK || !strings.Contains(r.body, "word") {
		t.Fatalf("status %d %q, want a stream with content", r.status, r.body)
	}
	wantErrorEvent(t, path, r)
	if !strings.Contains(r.body, "Not counted") {
		t.Errorf("%q does not say that nothing was counted", r.body)
	}
}

// leavers are clients that hang up: before any content it costs nothing,
// after it costs one; the upstream is told at once either way.
func (w *world) leavers(t *testing.T) {
	for _, l := range w.lanes() {
		for _, proto := range []string{"h1", "h2"} {
			w.attack(t, "outage", "client leaves before content "+l.name+" "+proto, func(t *testing.T) { w.leave(t, l, proto, false) })
			w.attack(t, "outage", "client leaves after content "+l.name+" "+proto, func(t *testing.T) { w.leave(t, l, proto, true) })
		}
	}
}

func (w *world) leave(t *testing.T, l lane, proto string, after bool) {
	arrived := make(chan struct{}, 1)
	l.upstream.play(t, func(rw http.ResponseWriter, r *http.Request) {
		if after {
			begin(rw, l.path)
		}
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	subject, token := w.person(t, l.tier)
	drain(l.upstream.ended)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.sites["main"]+l.path, strings.NewReader(string(ask(l.model, true))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = bearer(token)
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err := w.clients[proto].Do(req)
		if err != nil {
			return
		}
		defer func() { _ = res.Body.Close() }()
		var some [32]byte
		if _, err := res.Body.Read(some[:]); err == nil {
			cancel()
		}
	}()
	<-arrived
	if !after {
		cancel()
	}
	<-done
	select {
	case <-l.upstream.ended:
	case <-time.After(2 * time.Second):
		t.Error("the upstream's request still runs two seconds after the client left")
	}
	if want := map[bool]int{true: 1}[after]; w.charged(t, subject) != want {
		t.Errorf("charged %d, want %d", w.charged(t, subject), want)
	}
}
