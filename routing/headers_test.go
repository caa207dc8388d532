package routing_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/routing"
)

// hostile is what a client may send: credentials, identities, tricks, and the
// headers of both APIs.
func hostile() http.Header {
	h := http.Header{}
	for _, name := range []string{
		"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "X-Amz-Security-Token", "Cookie", "Proxy-Authorization",
		"X-LLM-Tier", "X-Forwarded-User", "X-Forwarded-For", "X-HTTP-Method-Override", "X-LiteLLM-API-Key", "X-Portkey-Config",
		"X-Model-Provider-Id", "X-Gateway-Model-Name", "X_LLM_Tier", "Forwarded", "Via", "Te", "Upgrade", "Expect",
		"X-Request-Id", "X-Session-Id", "X-Vllm-Priority", "X-Data-Parallel-Rank", "Idempotency-Key", "Range", "If-None-Match",
		"Openai-Organization", "Openai-Project", "Anthropic-Organization-Id", "Anthropic-Workspace-Id", "Anthropic-Api-Key",
		"Anthropic-Auth-Token", "Anthropic-User-Profile-Id", "Anthropic-Dangerous-Direct-Browser-Access",
		"X-Claude-Code-Session-Id", "X-Stainless-Lang", "X-App", "Traceparent", "Tracestate", "Origin", "Referer",
	} {
		h.Set(name, "CANARY")
	}
	h.Set("Connection", "keep-alive, anthropic-version, content-type, x-api-key")
	h.Set("Accept-Encoding", "br, CANARY")
	h.Set("Content-Type", "application/json; charset=CANARY")
	h.Set("Accept", "CANARY")
	h.Set("User-Agent", "CANARY")
	h["Anthropic-Beta"] = []string{"a-2025-01-01,b-2026-02-02", "c-2026-03-03"}
	h.Set("Anthropic-Version", "2023-06-01")
	h.Set("Anthropic-Future", "1")
	h.Set("Openai-Beta", "assistants=v2")
	return h
}

func TestUpstreamHeader(t *testing.T) {
	common := func(more http.Header) http.Header {
		h := http.Header{
			"Content-Type": {"application/json"}, "Accept": {"application/json"},
			"Accept-Encoding": {"identity"}, "User-Agent": {"llm-gateway"},
		}
		for name, values := range more {
			h[name] = values
		}
		return h
	}
	for _, tc := range []struct {
		name string
		api  routing.API
		d    dialect.Dialect
		key  string
		src  http.Header
		want http.Header
	}{
		{
			name: "anthropic", api: routing.Anthropic, key: "backend-key", src: hostile(),
			want: http.Header{
				"X-Api-Key": {"backend-key"}, "Anthropic-Version": {"2023-06-01"}, "Anthropic-Future": {"1"},
				"Anthropic-Beta": {"a-2025-01-01,b-2026-02-02", "c-2026-03-03"},
			},
		},
		{name: "anthropic, the client says nothing", api: routing.Anthropic, src: http.Header{}, want: http.Header{"Anthropic-Version": {"2023-06-01"}}},
		{
			name: "openai", api: routing.OpenAI, d: dialect.OpenAI, key: "backend-key", src: hostile(),
			want: http.Header{"Authorization": {"Bearer backend-key"}, "Openai-Beta": {"assistants=v2"}, "X-Client-Request-Id": {"req_ours"}},
		},
		{name: "vllm, chat", api: routing.VLLM, d: dialect.OpenAI, src: hostile(), want: http.Header{"X-Request-Id": {"req_ours"}}},
		{name: "vllm, native messages", api: routing.VLLM, key: "backend-key", src: hostile(), want: http.Header{"X-Request-Id": {"req_ours"}, "Authorization": {"Bearer backend-key"}}},
		{name: "compatible", api: routing.OpenAICompatible, d: dialect.OpenAI, key: "backend-key", src: hostile(), want: http.Header{"X-Request-Id": {"req_ours"}, "Authorization": {"Bearer backend-key"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := http.Header{}
			routing.UpstreamHeader(got, tc.src, routing.Hop{
				Backend: &routing.Backend{API: tc.api}, RequestID: "req_ours",
			})
			if tc.key != "" {
				name, value := tc.api.KeyHeader(tc.key)
				got.Set(name, value)
			}
			if diff := cmp.Diff(common(tc.want), got); diff != "" {
				t.Error(diff)
			}
			for name, values := range got {
				if strings.Contains(strings.Join(values, ""), "CANARY") {
					t.Errorf("%s reaches the upstream: %q", name, values)
				}
			}
		})
	}
}

// A model that lacks a beta refuses the whole request; for the asked model the
// client's header is its own affair.
func TestBetasOfAnotherModel(t *testing.T) {
	for _, tc := range []struct {
		name       string
		sent, want []string
		asked      bool // the target is the asked model
	}{
		{name: "byte for byte to the asked model", asked: true, sent: []string{"a-1 ,context-1m-2025-08-07,, b-2"}, want: []string{"a-1 ,context-1m-2025-08-07,, b-2"}},
		{name: "the first", sent: []string{"context-1m-2025-08-07,a-1,b-2"}, want: []string{"a-1,b-2"}},
		{name: "in the middle, with blanks", sent: []string{"a-1, context-1m-2025-08-07 ,b-2"}, want: []string{"a-1,b-2"}},
		{name: "the last, of another date", sent: []string{"a-1,context-1m-2027-01-01"}, want: []string{"a-1"}},
		{name: "twice and in lines of its own", sent: []string{"context-1m-2025-08-07", "a-1,  b-2", "context-1m-2025-08-07, c-3,context-1m-2026-01-01"}, want: []string{"a-1,  b-2", "c-3"}},
		{name: "alone", sent: []string{"context-1m-2025-08-07"}},
		{name: "none sent"},
		{name: "another beta of a like name", sent: []string{"x-context-1m-1, interleaved-thinking-2025-05-14"}, want: []string{"x-context-1m-1, interleaved-thinking-2025-05-14"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := http.Header{"Anthropic-Beta": slices.Clone(tc.sent)}
			got := http.Header{}
			routing.UpstreamHeader(got, src, routing.Hop{Backend: &routing.Backend{API: routing.Anthropic}, Changed: !tc.asked})
			if diff := cmp.Diff(tc.want, got["Anthropic-Beta"]); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.sent, src["Anthropic-Beta"]); diff != "" {
				t.Errorf("the client's header changed: %s", diff)
			}
		})
	}
}

func TestClientHeader(t *testing.T) {
	leaky := func(more ...string) http.Header {
		h := http.Header{}
		for _, name := range []string{
			"Set-Cookie", "Server", "Location", "Refresh", "Alt-Svc", "Access-Control-Allow-Origin", "Openai-Organization",
			"Openai-Processing-Ms", "Anthropic-Organization-Id", "Via", "Cf-Ray", "Strict-Transport-Security", "X-Request-Id", "Www-Authenticate",
		} {
			h.Set(name, "CANARY")
		}
		h.Set("Content-Type", "application/json")
		h.Set("Request-Id", "req_55")
		h.Set("Anthropic-Ratelimit-Requests-Remaining", "0")
		h.Set("X-Ratelimit-Remaining-Requests", "0")
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	json := "application/json"
	for _, tc := range []struct {
		name   string
		api    routing.API
		d      dialect.Dialect
		status int
		src    http.Header
		want   http.Header
	}{
		{name: "its own 429", api: routing.Anthropic, status: 429, src: leaky("Retry-After", "3", "X-Should-Retry", "false"), want: http.Header{"Content-Type": {json}, "Request-Id": {"req_55"}, "Retry-After": {"3"}, "X-Should-Retry": {"false"}, "Anthropic-Ratelimit-Requests-Remaining": {"0"}}},
		{name: "its own 200: limits are ours", api: routing.Anthropic, status: 200, src: leaky(), want: http.Header{"Content-Type": {json}, "Request-Id": {"req_55"}}},
		{name: "429 of another dialect", api: routing.Anthropic, d: dialect.OpenAI, status: 429, src: leaky("Retry-After", "17"), want: http.Header{"Content-Type": {json}, "Request-Id": {"ours"}, "Retry-After": {"17"}}},
		{name: "openai 429", api: routing.OpenAI, d: dialect.OpenAI, status: 429, src: leaky("Retry-After", "999999"), want: http.Header{"Content-Type": {json}, "Request-Id": {"ours"}, "Retry-After": {"3600"}, "X-Ratelimit-Remaining-Requests": {"0"}}},
		{name: "vllm", api: routing.VLLM, d: dialect.OpenAI, status: 429, src: leaky("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT", "X-Should-Retry", "true"), want: http.Header{"Content-Type": {json}, "Request-Id": {"ours"}}},
		{name: "a number beyond all numbers", api: routing.VLLM, d: dialect.OpenAI, status: 503, src: leaky("Retry-After", strings.Repeat("9", 40)), want: http.Header{"Content-Type": {json}, "Request-Id": {"ours"}, "Retry-After": {"3600"}}},
		{name: "no number", api: routing.VLLM, d: dialect.OpenAI, status: 503, src: leaky("Retry-After", "-5"), want: http.Header{"Content-Type": {json}, "Request-Id": {"ours"}}},
		{name: "a stream", api: routing.Anthropic, d: dialect.Anthropic, status: 200, src: leaky("Content-Type", "text/event-stream; charset=utf-8"), want: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}, "Request-Id": {"req_55"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := http.Header{"Request-Id": {"ours"}}
			routing.ClientHeader(got, tc.src, &routing.Backend{API: tc.api}, tc.d, tc.status)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
