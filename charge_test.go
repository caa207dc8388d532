package llmgateway

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What a request costs, by how it ends.
func TestCharge(t *testing.T) {
	g := startGateway(t, "")
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		body   string
		status int
		text   string // somewhere in the answer
		cost   int64
	}{
		{name: "a plain answer", answer: plainAnswer, status: 200, text: `"hello"`, cost: 1},
		{
			name: "a stream to its end", body: streamBody, status: 200, text: "message_stop", cost: 1,
			answer: func(w http.ResponseWriter, _ *http.Request) {
				sseEvents(w, append(append(append([]string{}, streamStart...), streamText), streamEnd...)...)
			},
		},
		{
			name: "an error event before any content", body: streamBody, status: 529, text: "Not counted",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				sseEvents(w, append(streamStart[:2:2], `{"type":"error","error":{"type":"internal_error","message":"Traceback SECRET"}}`)...)
			},
		},
		{
			name: "an upstream 500", status: 500, text: "api_error",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(500)
				io.WriteString(w, `{"error":{"message":"EngineCore encountered an issue","type":"InternalServerError","code":500}}`)
			},
		},
		{
			name: "an upstream 400", status: 400, text: "invalid_request_error",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				io.WriteString(w, `{"type":"error","error":{"type":"BadRequestError","message":"stop is too long"}}`)
			},
		},
		{
			name: "our key refused", status: 502, text: "refused this gateway",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(401)
				io.WriteString(w, `{"error":"Unauthorized SECRET"}`)
			},
		},
		{
			name: "an empty 200", status: 529,
			answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) },
		},
		{
			name: "a redirect", status: 529,
			answer: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://example.com/", http.StatusTemporaryRedirect)
			},
		},
		{
			name: "a stream that breaks before any content", body: streamBody, status: 529,
			answer: func(w http.ResponseWriter, _ *http.Request) { sseEvents(w, streamStart...); hangUp(w) },
		},
		{
			name: "a stream that breaks in the middle", body: streamBody, status: 200, text: "event: error",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				sseEvents(w, append(streamStart[:2:2], streamText)...)
				hangUp(w)
			},
		},
		{
			name: "a stream that ends without its end", body: streamBody, status: 200, text: "event: error",
			answer: func(w http.ResponseWriter, _ *http.Request) { sseEvents(w, append(streamStart[:2:2], streamText)...) },
		},
		{
			name: "an error event of the upstream", body: streamBody, status: 200, text: "event: error",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				sseEvents(w, append(streamStart[:2:2], streamText)...)
				time.Sleep(50 * time.Millisecond) // else it comes with the text in one read, and nothing was sent
				sseEvents(w, `{"type":"error","error":{"type":"internal_error","message":"Traceback SECRET"}}`)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, _ := g.used("wide")
			g.answer(tc.answer)
			body := tc.body
			if body == "" {
				body = helloBody
			}
			res, text := g.do("wide", http.MethodPost, "/v1/messages", body)
			if res.StatusCode != tc.status || !strings.Contains(text, tc.text) {
				t.Errorf("answer = %d %s, want %d with %q", res.StatusCode, text, tc.status, tc.text)
			}
			if strings.Contains(text, "SECRET") {
				t.Errorf("the upstream's internals leave the house: %s", text)
			}
			if res.Header.Get("Request-Id") == "" {
				t.Error("no request-id")
			}
			g.wantUsed("wide", before+tc.cost)
		})
	}
}

// hangUp cuts the connection under an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestChargeBackendDown(t *testing.T) {
	g := startGateway(t, "")
	g.upstream.Close()
	res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody)
	kind, message := errorOf(t, text)
	if res.StatusCode != 529 || kind != "overloaded_error" || !strings.Contains(message, "qwen3-32b") {
		t.Errorf("backend down = %d %s", res.StatusCode, text)
	}
	if address := g.upstream.Listener.Addr().(*net.TCPAddr); strings.Contains(text, address.String()) {
		t.Errorf("the backend's address leaks: %s", text)
	}
	g.wantUsed("tiny", 0)
}

// A client that leaves before the first content pays nothing, up to a bound;
// one that leaves later pays.
func TestChargeClientLeaves(t *testing.T) {
	g := startGateway(t, "")
	gone := make(chan struct{})
	stay := func(events ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			sseEvents(w, events...)
			<-r.Context().Done()
			gone <- struct{}{}
		}
	}
	leave := func(wantText string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		before := g.seen.Load()
		go func() {
			for g.seen.Load() == before {
				time.Sleep(time.Millisecond)
			}
			if wantText == "" {
				cancel()
			}
		}()
		res, err := http.DefaultClient.Do(g.request("wide", http.MethodPost, "/v1/messages", streamBody).WithContext(ctx))
		if err == nil {
			buf := make([]byte, 4096)
			for wantText != "" && !strings.Contains(string(buf), wantText) {
				if _, err := res.Body.Read(buf); err != nil {
					t.Errorf("reading: %v", err)
					break
				}
			}
			cancel()
			res.Body.Close()
		}
		select {
		case <-gone:
		case <-time.After(5 * time.Second):
			t.Error("the upstream was not cancelled")
		}
	}
	g.answer(stay(streamStart...))
	leave("")
	g.wantUsed("wide", 0)
	g.answer(stay(append(streamStart[:2:2], streamText)...))
	leave("hello")
	g.wantUsed("wide", 1)
}

// Refunds for leaving are bounded, so that "abort before the first word" is not
// free prefill for ever: tiny (limit 3) gets 3.
func TestChargeAbandonIsBounded(t *testing.T) {
	g := startGateway(t, "")
	g.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for i := range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		res, err := http.DefaultClient.Do(g.request("tiny", http.MethodPost, "/v1/messages", helloBody).WithContext(ctx))
		if err == nil {
			res.Body.Close()
		}
		cancel()
		g.wantUsed("tiny", int64(max(0, i-2)))
	}
	g.answer(plainAnswer)
	if res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after 3 free and 3 charged aborts = %d %s, want 429", res.StatusCode, text)
	}
}

func TestQuotaSpent(t *testing.T) {
	g := startGateway(t, "")
	for range 3 {
		if res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody); res.StatusCode != 200 {
			t.Fatalf("inside the limit: %d %s", res.StatusCode, text)
		}
	}
	seen := g.seen.Load()
	res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody)
	kind, message := errorOf(t, text)
	if res.StatusCode != 429 || kind != "billing_error" {
		t.Errorf("4th of 3 = %d %s", res.StatusCode, text)
	}
	for _, want := range []string{"3 of 3 requests", "tiny", "resets", g.base + "/quota"} {
		if !strings.Contains(message, want) {
			t.Errorf("message %q does not say %q", message, want)
		}
	}
	if res.Header.Get("X-Should-Retry") != "false" || res.Header.Get("Anthropic-Ratelimit-Unified-Overage-Disabled-Reason") != "org_spend_cap_reached" {
		t.Errorf("headers do not stop Claude Code: %v", res.Header)
	}
	if res, _ := g.do("tiny", http.MethodPost, "/v1/chat/completions", helloBody); res.StatusCode != 429 {
		t.Errorf("the other dialect = %d, want 429", res.StatusCode)
	}
	if g.seen.Load() != seen {
		t.Error("a refused request reached the backend")
	}
	for _, path := range []string{"/v1/models", "/quota"} {
		if res, text := g.do("tiny", http.MethodGet, path, ""); res.StatusCode != 200 {
			t.Errorf("GET %s at zero quota = %d %s", path, res.StatusCode, text)
		}
	}
	if res, text := g.do("tiny", http.MethodPost, "/v1/messages/count_tokens", helloBody); res.StatusCode != 200 {
		t.Errorf("count_tokens at zero quota = %d %s", res.StatusCode, text)
	}
	g.wantUsed("tiny", 3)
}
