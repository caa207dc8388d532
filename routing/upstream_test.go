package routing_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/routing"
)

func TestRefusal(t *testing.T) {
	const (
		claudeError = `{"type":"error","error":{"type":"invalid_request_error","message":"\"thinking.type.enabled\" is not supported"},"request_id":"req_1"}`
		billing     = `{"type":"error","error":{"type":"billing_error","message":"acme-corp: update your payment method"}}`
		empty       = `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."}}`
		chatError   = `{"error":{"message":"bad","type":"BadRequestError","param":null,"code":400}}`
		vllm404     = `{"error":{"message":"The model ` + "`x`" + ` does not exist. Valid aliases: secret-model.","type":"NotFoundError","param":"model","code":404}}`
		native404   = `{"type":"error","error":{"type":"NotFoundError","message":"The model ` + "`x`" + ` does not exist. Valid aliases: secret-model."}}`
		native400   = `{"type":"error","error":{"type":"BadRequestError","message":"stop: too many"}}`
		validation  = `{"error":{"message":"1 validation error:\n  missing","type":"Bad Request","param":"body.max_tokens","code":400}}`
		tooLong     = `{"type":"error","error":{"type":"BadRequestError","message":"This model's maximum context length is 8192 tokens. However, your prompt contains at least 8193 input tokens, which exceeds this limit even without any output tokens."}}`
		tooManyChar = `{"type":"error","error":{"type":"BadRequestError","message":"However, your prompt contains 16450 characters (more than 16384 characters, which is the upper bound for 1024 input tokens)"}}`
		full        = `{"error":{"message":"max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)","type":"BadRequestError","param":"max_tokens","code":400}}`
		limit       = `{"type":"error","error":{"type":"BadRequestError","message":"max_completion_tokens=32000 cannot be greater than max_model_len=8192. Please request fewer output tokens."}}`
		busy        = `{"error":{"message":"The engine is currently busy","type":"Service Unavailable","param":null,"code":503}}`
		draining    = `{"error":{"message":"cannot schedule new futures after shutdown","type":"InternalServerError","param":null,"code":500}}`
		html        = `<html><body><h1>502 Bad Gateway</h1>nginx 10.0.0.7</body></html>`
	)
	a, o := dialect.Anthropic, dialect.OpenAI
	for _, tc := range []struct {
		name   string
		api    routing.API
		d      dialect.Dialect
		answer routing.Answer
		pass   bool
		kind   apierr.Kind
		status int
		text   string
	}{
		{name: "Claude's own", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 400, Body: []byte(claudeError)}, pass: true},
		{name: "Claude's 404", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 404, Body: []byte(claudeError)}, pass: true},
		{name: "Claude's 529", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 529, Body: []byte(claudeError)}, pass: true},
		{name: "OpenAI's own", api: routing.OpenAI, d: o, answer: routing.Answer{Status: 400, Body: []byte(chatError)}, pass: true},
		{name: "vLLM's own, chat", api: routing.VLLM, d: o, answer: routing.Answer{Status: 400, Body: []byte(chatError)}, pass: true},
		{name: "vLLM's overflow, chat", api: routing.VLLM, d: o, answer: routing.Answer{Status: 400, Body: []byte(full), MaxTokens: 5, ContextLength: 9}, pass: true},
		{name: "our key, Claude", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 401, Body: []byte(claudeError)}, kind: apierr.KindUpstreamAuth, status: 502},
		{name: "our key, vLLM", api: routing.VLLM, d: o, answer: routing.Answer{Status: 403, Body: []byte(`{"error":"Unauthorized"}`)}, kind: apierr.KindUpstreamAuth, status: 502},
		{name: "our account, Claude", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 402, Body: []byte(billing)}, kind: apierr.KindUpstreamAuth, status: 502},
		{name: "our account, compatible", api: routing.OpenAICompatible, d: o, answer: routing.Answer{Status: 402, Body: []byte(chatError)}, kind: apierr.KindUpstreamAuth, status: 502},
		{name: "our account under another status", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 429, Body: []byte(billing)}, kind: apierr.KindUpstreamAuth, status: 502},
		{name: "our account is empty", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 400, Body: []byte(empty)}, kind: apierr.KindUpstreamAuth, status: 502},
		{name: "vLLM lists its models", api: routing.VLLM, d: o, answer: routing.Answer{Status: 404, Body: []byte(vllm404)}, kind: apierr.KindModelUnknown, status: 404, text: "model: asked"},
		{name: "vLLM lists its models, native", api: routing.VLLM, d: a, answer: routing.Answer{Status: 404, Body: []byte(native404)}, kind: apierr.KindModelUnknown, status: 404, text: "model: asked"},
		{name: "vLLM without the route", api: routing.VLLM, d: a, answer: routing.Answer{Status: 404, Body: []byte(`{"detail":"Not Found"}`)}, kind: apierr.KindUpstream, status: 502},
		{name: "native, a handler's error", api: routing.VLLM, d: a, answer: routing.Answer{Status: 400, Body: []byte(native400)}, kind: apierr.KindUpstream, status: 400, text: "stop: too many"},
		{name: "native, a validation error", api: routing.VLLM, d: a, answer: routing.Answer{Status: 400, Body: []byte(validation)}, kind: apierr.KindUpstream, status: 400, text: "1 validation error:\n  missing"},
		{name: "FastAPI's detail", api: routing.VLLM, d: o, answer: routing.Answer{Status: 400, Body: []byte(`{"detail":"There was an error parsing the body"}`)}, kind: apierr.KindUpstream, status: 400, text: "There was an error parsing the body"},
		{name: "the prompt is too long", api: routing.VLLM, d: a, answer: routing.Answer{Status: 400, Body: []byte(tooLong), RequestBytes: 36000}, kind: apierr.KindContextTooLong, status: 400, text: "prompt is too long: 10000 tokens > 8192 maximum"},
		{name: "the estimate must exceed the limit", api: routing.VLLM, d: a, answer: routing.Answer{Status: 400, Body: []byte(tooManyChar), RequestBytes: 36}, kind: apierr.KindContextTooLong, status: 400, text: "prompt is too long: 1025 tokens > 1024 maximum"},
		{name: "the prompt fills the context", api: routing.VLLM, d: a, answer: routing.Answer{Status: 400, Body: []byte(full), MaxTokens: 16, ContextLength: 1024}, kind: apierr.KindContextTooLong, status: 400, text: "prompt is too long: 1025 tokens > 1024 maximum"},
		{name: "an empty answer was asked for", api: routing.VLLM, d: a, answer: routing.Answer{Status: 400, Body: []byte(full), ContextLength: 1024}, kind: apierr.KindUpstream, status: 400, text: "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)"},
		{name: "the limit alone is too much", api: routing.VLLM, d: a, answer: routing.Answer{Status: 400, Body: []byte(limit), RequestBytes: 3600}, kind: apierr.KindUpstream, status: 400, text: "input length and `max_tokens` exceed context limit: 1000 + 32000 > 8192, decrease input length or `max_tokens` and try again"},
		{name: "vLLM is full, native", api: routing.VLLM, d: a, answer: routing.Answer{Status: 503, Body: []byte(busy), Header: http.Header{"Retry-After": {"17"}}}, kind: apierr.KindBackendFull, status: 529},
		{name: "vLLM is full, chat", api: routing.VLLM, d: o, answer: routing.Answer{Status: 503, Body: []byte(busy)}, pass: true},
		{name: "vLLM drains, native", api: routing.VLLM, d: a, answer: routing.Answer{Status: 500, Body: []byte(draining)}, kind: apierr.KindBackendFull, status: 529},
		{name: "vLLM drains, chat", api: routing.VLLM, d: o, answer: routing.Answer{Status: 500, Body: []byte(draining)}, kind: apierr.KindBackendFull, status: 503},
		{name: "HTML, A", api: routing.Anthropic, d: a, answer: routing.Answer{Status: 502, Body: []byte(html)}, kind: apierr.KindBackendDown, status: 529},
		{name: "HTML, O", api: routing.OpenAI, d: o, answer: routing.Answer{Status: 503, Body: []byte(html)}, kind: apierr.KindBackendDown, status: 503},
		{name: "plain text", api: routing.VLLM, d: o, answer: routing.Answer{Status: 500, Body: []byte("Internal Server Error at 10.0.0.7")}, kind: apierr.KindUpstream, status: 500},
		{name: "empty", api: routing.OpenAI, d: o, answer: routing.Answer{Status: 504}, kind: apierr.KindUpstream, status: 504},
		{name: "a redirect", api: routing.OpenAI, d: o, answer: routing.Answer{Status: 307, Body: []byte(chatError)}, kind: apierr.KindUpstream, status: 502},
		{name: "an upgrade", api: routing.OpenAI, d: o, answer: routing.Answer{Status: 101}, kind: apierr.KindUpstream, status: 502},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.answer.Model = "asked"
			pass, e := routing.Refusal(tc.answer, &routing.Backend{API: tc.api, NativeMessages: true}, tc.d)
			if pass != tc.pass || (e == nil) != tc.pass {
				t.Fatalf("pass = %v, %v; want %v", pass, e, tc.pass)
			}
			if pass {
				return
			}
			if e.Kind != tc.kind || e.StatusIn(tc.d) != tc.status {
				t.Errorf("%v, status %d; want %v, %d", e, e.StatusIn(tc.d), tc.kind, tc.status)
			}
			if tc.text != "" && e.Message != tc.text {
				t.Errorf("text %q, want %q", e.Message, tc.text)
			}
			for _, secret := range []string{"secret-model", "10.0.0.7", "nginx", "acme-corp", "Billing"} {
				if strings.Contains(e.Message, secret) {
					t.Errorf("%q leaks %s", e.Message, secret)
				}
			}
		})
	}
}

func TestRefusalKeepsTheWait(t *testing.T) {
	_, e := routing.Refusal(routing.Answer{
		Status: 503, Body: []byte(`{"error":{"message":"busy"}}`), Header: http.Header{"Retry-After": {"17"}}, Model: "m",
	}, &routing.Backend{API: routing.VLLM}, dialect.Anthropic)
	if e == nil || e.RetryAfter != 17*time.Second {
		t.Errorf("%+v, want the upstream's 17 s", e)
	}
}
