package llmgateway

import (
	"net/http/httptest"
	"testing"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

func TestFindEndpoint(t *testing.T) {
	for _, tc := range []struct {
		name, target, want string
	}{
		{name: "messages", target: "/v1/messages", want: "messages"},
		{name: "the query is not part of it", target: "/v1/messages?beta=true", want: "messages"},
		{name: "a base URL with /v1", target: "/v1/v1/messages", want: "messages"},
		{name: "count_tokens", target: "/v1/messages/count_tokens", want: "count_tokens"},
		{name: "chat completions", target: "/v1/chat/completions", want: "chat_completions"},
		{name: "one model", target: "/v1/models/qwen3-32b", want: "models"},
		{name: "a model with slashes", target: "/v1/models/Qwen/Qwen3-32B", want: "models"},
		{name: "a model with encoded slashes", target: "/v1/models/Qwen%2FQwen3-32B", want: "models"},
		{name: "no model", target: "/v1/models/", want: ""},
		{name: "the probe below a base URL with /v1", target: "/v1/api/hello", want: "hello"},
		{name: "double slash", target: "/v1//messages", want: ""},
		{name: "trailing slash", target: "/v1/messages/", want: ""},
		{name: "dot segment", target: "/v1/./messages", want: ""},
		{name: "upper case", target: "/V1/messages", want: ""},
		{name: "encoded letter", target: "/v1/%6dessages", want: ""},
		{name: "encoded slash", target: "/v1%2fmessages", want: ""},
		{name: "thrice /v1", target: "/v1/v1/v1/messages", want: ""},
		{name: "vLLM's own routes are not ours", target: "/tokenize", want: ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			if e := findEndpoint(httptest.NewRequest("POST", tc.target, nil)); e != nil {
				got = e.name
			}
			if got != tc.want {
				t.Errorf("findEndpoint(%q) = %q, want %q", tc.target, got, tc.want)
			}
		})
	}
}

func TestEndpointMethods(t *testing.T) {
	messages, models := endpoints["/v1/messages"], endpoints["/v1/models"]
	for _, tc := range []struct {
		e      *endpoint
		method string
		want   bool
	}{
		{messages, "POST", true},
		{messages, "GET", false},
		{messages, "post", false}, // method names are case-sensitive
		{messages, "HEAD", false},
		{models, "GET", true},
		{models, "HEAD", true},
		{models, "POST", false},
	} {
		if got := tc.e.allows(tc.method); got != tc.want {
			t.Errorf("%s allows %s = %t, want %t", tc.e.name, tc.method, got, tc.want)
		}
	}
}

func TestDialectOf(t *testing.T) {
	for _, tc := range []struct {
		name, target, agent string
		want                dialect.Dialect
	}{
		{name: "by path", target: "/v1/chat/completions", want: dialect.OpenAI},
		{name: "by path, unknown endpoint", target: "/v1/chat/unknown", want: dialect.OpenAI},
		{name: "by client", target: "/v1/models", agent: "OpenAI/JS 6.49.0", want: dialect.OpenAI},
		{name: "by its asynchronous client", target: "/quota", agent: "AsyncOpenAI/Python 3.54.0", want: dialect.OpenAI},
		{name: "messages, whoever asks", target: "/v1/messages", agent: "OpenAI/JS 6.49.0", want: dialect.Anthropic},
		{name: "everybody else", target: "/quota", want: dialect.Anthropic},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", tc.target, nil)
			r.Header.Set("User-Agent", tc.agent)
			if got := dialectOf(findEndpoint(r), r); got != tc.want {
				t.Errorf("dialectOf(%s, %s) = %v, want %v", tc.target, tc.agent, got, tc.want)
			}
		})
	}
}
