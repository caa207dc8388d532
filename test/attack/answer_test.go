//go:build attack

package attack

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// lane is one way to an upstream: who asks for what, where.
type lane struct {
	name, tier, path, model string
	upstream                *stub
}

func (w *world) lanes() []lane {
	return []lane{
		{"internal messages", "free", messages, "claude-3-opus", w.internal},
		{"internal chat", "free", chat, "gpt-4", w.internal},
		{"claude", "enterprise", messages, "claude-opus-5-5", w.claude},
		{"openai", "enterprise", chat, "gpt-5", w.openai},
	}
}

// answers drives the response side of header-cases.json: a scripted upstream
// on each lane, for plain answers, streams and errors.
func (w *world) answers(t *testing.T) {
	for _, c := range readBoth[headerCase](t, "header-cases.json", "more-header.json") {
		if c.Side != "response" {
			continue
		}
		for _, l := range w.lanes() {
			switch {
			case c.Send[":status"] == "101":
				w.attack(t, c.ID, c.Name+" "+l.name, func(t *testing.T) { w.switched(t, l) })
			case c.Send[":status"] != "":
				w.attack(t, c.ID, c.Name+" "+l.name, func(t *testing.T) { w.keyRefused(t, l) })
			case c.Send[":body"] != "":
				body, err := repeated(c.Send[":body"])
				if err != nil {
					t.Fatal(err)
				}
				w.attack(t, c.ID, c.Name+" "+l.name, func(t *testing.T) { w.endlessLine(t, l, body) })
			default:
				for _, kind := range []string{"plain", "stream", "error"} {
					w.attack(t, c.ID, c.Name+" "+l.name+" "+kind, func(t *testing.T) { w.upstreamHeader(t, c, l, kind) })
				}
			}
		}
	}
}

// askLane makes the lane's request as someone new and returns the subject too.
// The token goes in x-api-key, which Caddy's own logs would show.
func (w *world) askLane(t *testing.T, l lane, stream bool) (reply, string) {
	t.Helper()
	subject, token := w.person(t, l.tier)
	header := http.Header{"X-Api-Key": {token}, "Content-Type": {"application/json"}}
	r := w.send(t, request{site: "main", proto: "h1", path: l.path, header: header, body: ask(l.model, stream)})
	w.clean(t, r)
	return r, subject
}

// upstreamHeader lets the upstream set a header that clients must not see.
func (w *world) upstreamHeader(t *testing.T, c headerCase, l lane, kind string) {
	l.upstream.play(t, func(rw http.ResponseWriter, r *http.Request) {
		for name, value := range c.Send {
			rw.Header().Set(name, value)
		}
		if kind == "error" {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(rw, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down, please"}}`)
			return
		}
		answer(rw, call{path: l.path, model: l.model, stream: kind == "stream"})
	})
	r, _ := w.askLane(t, l, kind == "stream")
	if want := map[bool]int{true: http.StatusTooManyRequests, false: http.StatusOK}[kind == "error"]; r.status != want {
		t.Errorf("status %d %s, want %d", r.status, r.body, want)
	}
	for name, value := range c.Send {
		if got := r.header.Values(name); strings.Contains(strings.Join(got, "\n"), value) {
			t.Errorf("%s: %q reached the client", name, got)
		}
	}
}

// keyRefused answers 401 and 403 for our own key: a client must not take it
// for a verdict on its token.
func (w *world) keyRefused(t *testing.T, l lane) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		l.upstream.play(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("WWW-Authenticate", "Bearer")
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`)
		})
		r, subject := w.askLane(t, l, false)
		e := refused(t, l.path, r, http.StatusBadGateway)
		if want := map[string]string{messages: "api_error", chat: "server_error"}[l.path]; e.Type != want {
			t.Errorf("type %q, want %q", e.Type, want)
		}
		if r.header.Get("WWW-Authenticate") != "" || strings.Contains(r.body, "x-api-key") {
			t.Errorf("the upstream's own words reached the client: %v %s", r.header, r.body)
		}
		w.wantCharge(t, subject, 0)
	}
}

// switched answers 101, which nobody asked for.
func (w *world) switched(t *testing.T, l lane) {
	l.upstream.play(t, func(rw http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nsecret-tunnel")
		_ = buf.Flush()
		time.Sleep(100 * time.Millisecond) // a tunnel would pass something now
	})
	r, subject := w.askLane(t, l, false)
	refused(t, l.path, r, http.StatusBadGateway, 529, http.StatusServiceUnavailable)
	if strings.Contains(r.body, "secret-tunnel") {
		t.Error("the tunnel passed")
	}
	w.wantCharge(t, subject, 0)
}

// endlessLine streams one line of 64 MiB without an end: memory stays bounded
// and the client is told.
func (w *world) endlessLine(t *testing.T, l lane, line string) {
	for _, begun := range []bool{false, true} {
		l.upstream.play(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/event-stream")
			if begun {
				_, _ = io.WriteString(rw, opening(l.path)+content(l.path))
				flush(rw)
			}
			_, _ = io.WriteString(rw, line)
		})
		before, start := w.startPeak(t), time.Now()
		_, token := w.person(t, l.tier)
		r := w.send(t, request{site: "main", proto: "h1", path: l.path, header: bearer(token), body: ask(l.model, true)})
		t.Logf("%d MiB passed in %s (begun: %v)", len(r.body)>>20, time.Since(start).Round(time.Millisecond), begun)
		if grown := w.peak(t) - before; grown > 48<<20 {
			t.Errorf("memory grew by %d MiB (begun: %v)", grown>>20, begun)
		}
		if begun {
			wantErrorEvent(t, l.path, r)
		} else if r.status == http.StatusOK {
			wantErrorEvent(t, l.path, r)
		}
	}
}

// wantErrorEvent fails the test unless a stream ends with an error in the
// path's dialect and without the mark of a good end.
func wantErrorEvent(t *testing.T, path string, r reply) {
	t.Helper()
	tail := r.body[max(0, len(r.body)-600):]
	want := "event: error\ndata: {\"type\":\"error\""
	if path == chat {
		want = "data: {\"error\":{"
	}
	if !strings.Contains(tail, want) {
		t.Errorf("the stream ends with %q, %v; want an error event", tail, r.err)
	}
	if strings.Contains(tail, "message_stop") || strings.Contains(tail, `"finish_reason":"stop"`) {
		t.Errorf("a broken stream has a good end: %q", tail)
	}
}

// startPeak makes the kernel forget the gateway's peak of resident memory, and
// returns what is resident now.
func (w *world) startPeak(t *testing.T) int64 {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", w.gateway.Pid()), []byte("5"), 0o200); err != nil {
		t.Skipf("peak memory cannot be measured here: %v", err)
	}
	return w.memory(t, "VmRSS")
}

// peak returns the most memory that was resident since startPeak.
func (w *world) peak(t *testing.T) int64 { t.Helper(); return w.memory(t, "VmHWM") }

func (w *world) memory(t *testing.T, name string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.gateway.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in the process's status", name)
	return 0
}
