package llmgateway

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What the gateway refuses by itself: status and type word per dialect, a text
// with a next step, nothing at the backend, nothing charged.
func TestRefusals(t *testing.T) {
	g := startGateway(t, "\n\t\t\tmax_body 64KiB")
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	io.WriteString(zip, helloBody)
	zip.Close()
	for _, tc := range []struct {
		name, tier, method, path, body string
		header                         map[string]string
		status                         int
		kind, text                     string
	}{
		{name: "no credential", path: "/v1/messages", body: helloBody, status: 401, kind: "authentication_error", text: "ANTHROPIC_AUTH_TOKEN"},
		{name: "no credential, OpenAI", path: "/v1/chat/completions", body: helloBody, status: 401, kind: "invalid_request_error", text: "token"},
		{name: "a provider's key", path: "/v1/messages", body: helloBody, header: map[string]string{"Authorization": "Bearer sk-ant-SECRET"}, status: 401, kind: "authentication_error", text: "Provider keys"},
		{name: "a token nobody has", path: "/v1/messages", body: helloBody, header: map[string]string{"X-Api-Key": "llmgw_u_SECRET"}, status: 401, kind: "authentication_error"},
		{name: "two credentials", path: "/v1/messages", body: helloBody, header: map[string]string{"Authorization": "Bearer a, Bearer b"}, status: 401, kind: "authentication_error"},
		{name: "not JSON", tier: "wide", path: "/v1/messages", body: "model=x", status: 400, kind: "invalid_request_error"},
		{name: "truncated JSON", tier: "wide", path: "/v1/messages", body: helloBody[:40], status: 400, kind: "invalid_request_error"},
		{name: "two models", tier: "wide", path: "/v1/messages", body: `{"model":"a",` + helloBody[1:], status: 400, kind: "invalid_request_error", text: "two members named model"},
		{name: "MODEL", tier: "wide", path: "/v1/messages", body: `{"MODEL":"a",` + helloBody[1:], status: 400, kind: "invalid_request_error"},
		{name: "no model", tier: "wide", path: "/v1/messages", body: `{"messages":[]}`, status: 400, kind: "invalid_request_error", text: "model"},
		{name: "too big", tier: "wide", path: "/v1/messages", body: `{"model":"a","x":"` + strings.Repeat("x", 64<<10) + `"}`, status: 413, kind: "request_too_large", text: "65536 bytes"},
		{name: "compressed", tier: "wide", path: "/v1/messages", body: zipped.String(), header: map[string]string{"Content-Encoding": "gzip"}, status: 415, kind: "invalid_request_error"},
		{name: "a form", tier: "wide", path: "/v1/messages", body: "model=x", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, status: 415, kind: "invalid_request_error"},
		{name: "another charset", tier: "wide", path: "/v1/messages", body: helloBody, header: map[string]string{"Content-Type": "application/json; charset=utf-16"}, status: 415, kind: "invalid_request_error"},
		{name: "beyond the wall", tier: "tiny", path: "/v1/messages", body: strings.Replace(helloBody, "claude-opus-5-5", "gpt-4", 1), status: 404, kind: "not_found_error", text: "qwen3-32b"},
		{name: "unknown model, OpenAI", tier: "tiny", path: "/v1/chat/completions", body: strings.Replace(helloBody, "claude-opus-5-5", "gpt-4", 1), status: 404, kind: "invalid_request_error", text: "gpt-4"},
		{name: "a weapon in the body", tier: "wide", path: "/v1/messages", body: `{"chat_template":"{{x}}",` + helloBody[1:], status: 400, kind: "invalid_request_error", text: "chat_template"},
		{name: "a URL as model", tier: "wide", path: "/v1/messages", body: strings.Replace(helloBody, "claude-opus-5-5", "http://evil", 1), status: 400, kind: "invalid_request_error"},
		{name: "unknown path", tier: "wide", path: "/v1/completions", body: helloBody, status: 404, kind: "not_found_error", text: "/v1/messages"},
		{name: "the backend's own path", tier: "wide", path: "/tokenize", body: helloBody, status: 404, kind: "not_found_error"},
		{name: "wrong method", tier: "wide", method: "GET", path: "/v1/messages", status: 405, kind: "invalid_request_error"},
		{name: "upgrade", tier: "wide", path: "/v1/messages", body: helloBody, header: map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"}, status: 404, kind: "not_found_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seen := g.seen.Load()
			method := tc.method
			if method == "" {
				method = http.MethodPost
			}
			r := g.request(tc.tier, method, tc.path, tc.body)
			for name, value := range tc.header {
				r.Header.Set(name, value)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			kind, message := errorOf(t, string(body))
			if res.StatusCode != tc.status || kind != tc.kind || !strings.Contains(message, tc.text) {
				t.Errorf("answer = %d %s, want %d %s with %q", res.StatusCode, body, tc.status, tc.kind, tc.text)
			}
			if strings.Contains(string(body), "SECRET") {
				t.Error("the credential comes back in the answer")
			}
			if res.Header.Get("Request-Id") == "" || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("header = %v", res.Header)
			}
			if g.seen.Load() != seen {
				t.Error("it reached the backend")
			}
		})
	}
	g.wantUsed("tiny", 0)
	g.wantUsed("wide", 0)
}

// Probes and pages: no credential, no charge, no detail.
func TestPublicEndpoints(t *testing.T) {
	g := startGateway(t, "")
	for _, tc := range []struct {
		method, path, accept string
		status               int
		text                 string
	}{
		{method: "GET", path: "/health", status: 200, text: `{"status":"ok"}`},
		{method: "HEAD", path: "/healthz", status: 200},
		{method: "GET", path: "/readyz", status: 200, text: `{"status":"ok"}`},
		{method: "HEAD", path: "/api/hello", status: 200},
		{method: "HEAD", path: "/", status: 200},
		{method: "HEAD", path: "/v1", status: 200},
		{method: "HEAD", path: "/v1/", status: 200},
		{method: "HEAD", path: "/v1/api/hello", status: 200},
		{method: "GET", path: "/", status: 200},
		{method: "GET", path: "/", accept: "text/html", status: 200, text: "ANTHROPIC_BASE_URL"},
		{method: "GET", path: "/assets/style.css", status: 200, text: "color-scheme"},
		{method: "GET", path: "/assets/../config.go", status: 404},
		{method: "GET", path: "/nothing", accept: "text/html", status: 404, text: "<h1>404</h1>"},
		{method: "OPTIONS", path: "/v1/messages", status: 204},
		{method: "POST", path: "/health", status: 405},
		{method: "GET", path: "/oauth/token", status: 404},
	} {
		t.Run(tc.method+" "+tc.path+" "+tc.accept, func(t *testing.T) {
			r := g.request("", tc.method, tc.path, "")
			r.Header.Set("Accept", tc.accept)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tc.status || !strings.Contains(string(body), tc.text) {
				t.Errorf("answer = %d %s, want %d with %q", res.StatusCode, body, tc.status, tc.text)
			}
			if tc.status == http.StatusMethodNotAllowed || tc.method == "OPTIONS" {
				if res.Header.Get("Allow") == "" {
					t.Error("no Allow header")
				}
			}
			if len(res.Cookies()) > 0 {
				t.Error("a public endpoint sets a cookie")
			}
		})
	}
}

// What the backend is sent: our path, our headers, the model it knows; nothing
// of the client's credential or identity.
func TestUpstreamRequest(t *testing.T) {
	g := startGateway(t, "")
	requests := make(chan *http.Request, 1)
	g.answer(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		plainAnswer(w, r)
	})
	r := g.request("tiny", http.MethodPost, "/v1/v1/messages?beta=true", helloBody)
	for name, value := range map[string]string{
		"X-Api-Key": "CANARY", "Cookie": "CANARY", "X-Forwarded-For": "CANARY", "X-Llm-Tier": "enterprise",
		"X-Request-Id": "CANARY", "X-Vllm-Priority": "CANARY", "Anthropic-Version": "2023-06-01", "Connection": "anthropic-version",
	} {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("answer = %d", res.StatusCode)
	}
	got := <-requests
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.URL.String() != "/v1/messages" {
		t.Errorf("path = %s, want /v1/messages", got.URL)
	}
	for name, values := range got.Header {
		for _, v := range values {
			if strings.Contains(v, "CANARY") || strings.Contains(v, g.token["tiny"]) {
				t.Errorf("%s: %s reached the backend", name, v)
			}
		}
	}
	var sent struct{ Model string }
	if err := json.Unmarshal(body, &sent); err != nil || sent.Model != "qwen3-32b" {
		t.Errorf("body = %s, want model qwen3-32b", body)
	}
	if want := strings.Replace(helloBody, "claude-opus-5-5", "qwen3-32b", 1); string(body) != want {
		t.Errorf("body = %s\nwant   %s: only the model's value may change", body, want)
	}
	if res.Header.Get("X-Llm-Gateway-Route") != "internal; reason=route" || res.Header.Get("X-Llm-Gateway-Model") != "qwen3-32b" {
		t.Errorf("header = %v", res.Header)
	}
}

// A client that waits to be asked for its body gets its refusal at once.
func TestRefusalOfAnExpectedBody(t *testing.T) {
	g := startGateway(t, "")
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: llmgw_u_wrong\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", res.StatusCode)
	}
}
