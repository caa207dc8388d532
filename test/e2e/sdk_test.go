//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/test/harness"
)

// step is what one step of a script returned or threw.
type step struct {
	Text, Model, Stop, Finish, ID string
	IDs                           []string
	Input                         map[string]any
	Events, Tokens, Usage         int
	WithoutChoice                 int

	// What it threw.
	Class, Type, Code, Message, RequestID string
	Status                                int
	Milliseconds                          int `json:"ms"`
}

// sdkTiers has a plan that is walled off from one of two backends, and one that
// is spent after a request.
const sdkTiers = `
			backend other vllm http://127.0.0.1:9/v1 {
				models other-1
				native_messages
			}
			tier walled {
				limit 1000 requests per day
				allow internal
			}
			tier small {
				limit 1 requests per day
				allow internal
			}`

// runSDK runs a script and returns its steps by name. It fails the test unless
// every refusal was met with exactly one request: an SDK that repeats one would
// sleep for hours on a spent quota.
func runSDK(t *testing.T, script string, env ...string) map[string]step {
	t.Helper()
	npm(t)
	s := startSite(t, map[string]string{"ann": "walled", "sue": "small"}, sdkTiers)
	spend(t, s.URL, s.token["sue"], 1)
	tap := harness.Tap(t, s.URL)
	var raw map[string]json.RawMessage
	node(t, script, &raw, append(env, "BASE="+tap.URL, "TOKEN="+s.token["ann"], "SPENT="+s.token["sue"])...)
	steps := make(map[string]step, len(raw))
	thrown := 0
	for name, text := range raw {
		var st step
		if err := json.Unmarshal(text, &st); err != nil {
			t.Fatalf("step %s: %v: %s", name, err, text)
		}
		if st.Class != "" && name != "midStream" {
			thrown++
		}
		steps[name] = st
	}
	refused, answered := 0, 0
	for _, seen := range append(tap.Seen(http.MethodPost, ""), tap.Seen(http.MethodGet, "")...) {
		switch {
		case seen.Status >= http.StatusBadRequest:
			refused++
		case strings.HasSuffix(seen.Path, "/messages") || strings.HasSuffix(seen.Path, "/completions"):
			answered++
		}
	}
	if refused != thrown {
		t.Errorf("%d refusals went over the wire for %d errors: the SDK repeated some", refused, thrown)
	}
	// The answer that broke off was given back, as was the one that never came.
	wantUsed(t, s.URL, s.token["ann"], int64(answered-1))
	wantUsed(t, s.URL, s.token["sue"], 1)
	return steps
}

// wantError is one row of what an SDK must make of a refusal.
type wantError struct {
	step, class string
	status      int
	word        string // the error's type or code
	says        string
}

func checkErrors(t *testing.T, steps map[string]step, want []wantError) {
	t.Helper()
	for _, w := range want {
		got := steps[w.step]
		if got.Class != w.class || got.Status != w.status {
			t.Errorf("%s: %s %d, want %s %d: %s", w.step, got.Class, got.Status, w.class, w.status, got.Message)
		}
		if got.Type != w.word && got.Code != w.word {
			t.Errorf("%s: type %q, code %q; want %q", w.step, got.Type, got.Code, w.word)
		}
		if !strings.Contains(got.Message, w.says) {
			t.Errorf("%s says %q, want %q in it", w.step, got.Message, w.says)
		}
		if got.RequestID == "" {
			t.Errorf("%s: the SDK knows no request id", w.step)
		}
		if got.Milliseconds > 5000 {
			t.Errorf("%s took %d ms: the SDK slept", w.step, got.Milliseconds)
		}
	}
}

// checkAnswers holds what both SDKs have in common.
func checkAnswers(t *testing.T, steps map[string]step, model string) {
	t.Helper()
	if s := steps["create"]; s.Text != "four" || s.Model != model || s.Tokens == 0 {
		t.Errorf("create: %+v, want the text four of %s with usage", s, model)
	}
	if s := steps["stream"]; s.Events < 20 || len(strings.Fields(s.Text)) != 20 {
		t.Errorf("stream: %d events, text %q; want 20 words one by one", s.Events, s.Text)
	}
	if s := steps["tool"]; s.Input["city"] != "Paris" {
		t.Errorf("tool: %+v, want the city Paris", s)
	}
	if s := steps["models"]; !strings.Contains(strings.Join(s.IDs, " "), "qwen3-32b") || strings.Contains(strings.Join(s.IDs, " "), "other-1") {
		t.Errorf("models: %v, want qwen3-32b and nothing beyond the wall", s.IDs)
	}
	if s := steps["model"]; s.ID != "qwen3-32b" {
		t.Errorf("model: %+v, want qwen3-32b", s)
	}
}

func TestAnthropicSDK(t *testing.T) {
	steps := runSDK(t, "anthropic.mjs")
	checkAnswers(t, steps, "qwen3-32b")
	if s := steps["create"]; s.Stop != "end_turn" || s.RequestID == "" {
		t.Errorf("create: %+v, want end_turn and a request id", s)
	}
	if s := steps["createByKey"]; s.Text != "four" {
		t.Errorf("with the token as x-api-key: %+v", s)
	}
	if s := steps["tool"]; s.Stop != "tool_use" {
		t.Errorf("tool: stop %q, want tool_use", s.Stop)
	}
	if s := steps["countTokens"]; s.Tokens < 5 {
		t.Errorf("countTokens: %+v", s)
	}
	checkErrors(t, steps, []wantError{
		{"midStream", "APIError", 0, "api_error", "qwen3-32b stopped in mid-answer. Not counted."},
		{"overloaded", "OverloadedError", 529, "overloaded_error", "again"},
		{"badToken", "AuthenticationError", 401, "authentication_error", "not issued for this gateway"},
		{"spent", "RateLimitError", 429, "billing_error", "1 of 1 requests"},
		{"walled", "BadRequestError", 400, "policy_blocked", "walled does not include other-1"},
		{"unknownModel", "NotFoundError", 404, "not_found_error", "nobody-has-this"},
		{"unknownModelRetrieved", "NotFoundError", 404, "not_found_error", "nobody-has-this"},
		{"badRequest", "BadRequestError", 400, "invalid_request_error", "chat_template"},
	})
}

// Both major versions are in use.
func TestOpenAISDK(t *testing.T) {
	for _, version := range []string{"openai", "openai6"} {
		t.Run(version, func(t *testing.T) {
			steps := runSDK(t, "openai.mjs", "PACKAGE="+version)
			checkAnswers(t, steps, "qwen3-32b")
			if s := steps["create"]; s.Stop != "stop" {
				t.Errorf("create: %+v, want stop", s)
			}
			if s := steps["stream"]; s.Finish != "stop" || s.Usage != 0 || s.WithoutChoice != 0 {
				t.Errorf("stream: %+v, want no usage chunk, which was not asked for", s)
			}
			if s := steps["streamWithUsage"]; s.Usage < 20 || s.WithoutChoice != 1 {
				t.Errorf("stream with usage: %+v, want one more chunk with 20 tokens or more", s)
			}
			if s := steps["tool"]; s.Stop != "tool_calls" {
				t.Errorf("tool: stop %q, want tool_calls", s.Stop)
			}
			checkErrors(t, steps, []wantError{
				{"midStream", "APIError", 0, "server_error", "qwen3-32b stopped in mid-answer. Not counted."},
				{"overloaded", "InternalServerError", 503, "503", "busy"}, // vLLM's own words
				{"badToken", "AuthenticationError", 401, "invalid_api_key", "not issued for this gateway"},
				{"spent", "RateLimitError", 429, "insufficient_quota", "1 of 1 requests"},
				{"walled", "PermissionDeniedError", 403, "model_not_allowed", "walled does not include other-1"},
				{"unknownModel", "NotFoundError", 404, "model_not_found", "nobody-has-this"},
				{"unknownModelRetrieved", "NotFoundError", 404, "model_not_found", "nobody-has-this"},
				{"noSuchEndpoint", "NotFoundError", 404, "not_found_error", "POST /v1/embeddings"},
				{"badRequest", "BadRequestError", 400, "invalid_request_error", "chat_template"},
			})
		})
	}
}
