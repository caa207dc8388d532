package routing_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/routing"
)

func scan(t testing.TB, body string) (*jsonbody.Facts, []byte) {
	t.Helper()
	f := new(jsonbody.Facts)
	if err := jsonbody.Scan([]byte(body), f); err != nil {
		t.Fatalf("Scan(%s): %v", body, err)
	}
	return f, []byte(body)
}

func TestCheckMembers(t *testing.T) {
	big := strings.Repeat("a", 4<<10)
	for _, tc := range []struct {
		name, member, want string
		fields             []string
		api                routing.API
	}{
		{name: "a template", member: `"chat_template":"{{x}}"`, want: "chat_template"},
		{name: "a template with an escaped name", member: `"chat_\u0074emplate":"{{x}}"`, want: "chat_template"},
		{name: "a cache salt", member: `"cache_salt":"x"`, want: "cache_salt"},
		{name: "priority", member: `"priority":-1`, want: "priority"},
		{name: "kv transfer", member: `"kv_transfer_params":{}`, want: "kv_transfer_params"},
		{name: "embeds", member: `"prompt_embeds":"x"`, want: "prompt_embeds"},
		{name: "prompt logprobs", member: `"prompt_logprobs":1`, want: "prompt_logprobs"},
		{name: "processors", member: `"logits_processors":["os.system"]`, want: "logits_processors"},
		{name: "no end", member: `"ignore_eos":true`, want: "ignore_eos"},
		{name: "a minimum", member: `"min_tokens":100000`, want: "min_tokens"},
		{name: "best of", member: `"best_of":20`, want: "best_of"},
		{name: "another upstream", member: `"api_base":"http://169.254.169.254"`, want: "api_base"},
		{name: "fallbacks", member: `"fallbacks":["gpt-4"]`, want: "fallbacks"},
		{name: "models", member: `"models":["gpt-4"]`, want: "models"},
		{name: "user config", member: `"user_config":{}`, want: "user_config"},
		{name: "a mock", member: `"mock_response":"x"`, want: "mock_response"},
		{name: "nine answers", member: `"n":9`, want: "n"},
		{name: "many answers in another spelling", member: `"n":1e9`, want: "n"},
		{name: "answers that are no number", member: `"n":"many"`, want: "n"},
		{name: "eight answers", member: `"n":8`},
		{name: "two answers in a stream", member: `"n":2,"stream":true`, want: "n"},
		{name: "one answer in a stream", member: `"n":1,"stream":true`},
		{name: "a large pattern", member: `"guided_regex":"` + big + `"`, want: "guided_regex"},
		{name: "a large structure", member: `"structured_outputs":{"regex":"` + big + `"}`, want: "structured_outputs"},
		{name: "a large pattern in structured outputs", member: `"structured_outputs":{"json":{"properties":{"a":{"pattern":"` + big + `"}}}}`, want: "structured_outputs"},
		{name: "large whitespace in structured outputs", member: `"structured_outputs":{"regex":"a","whitespace_pattern":"` + big + `"}`, want: "structured_outputs"},
		{name: "many choices in structured outputs", member: `"structured_outputs":{"choice":[` + strings.Repeat(`"a",`, 1<<10) + `"b"]}`, want: "structured_outputs"},
		{name: "a large whitespace pattern", member: `"guided_whitespace_pattern":"` + big + `"`, want: "guided_whitespace_pattern"},
		{name: "a small whitespace pattern", member: `"guided_whitespace_pattern":"[ ]?"`},
		{name: "a large pattern in a response format", member: `"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"string","pattern":"` + big + `"}}}`, want: "response_format"},
		{name: "a large pattern under escaped names", member: `"response_f\u006frmat":{"type":"json_schema","json_schema":{"schema":{"p\u0061ttern":"` + big + `"}}}`, want: "response_format"},
		{name: "a large schema of small patterns", member: `"response_format":{"type":"json_schema","json_schema":{"schema":{"anyOf":[` + strings.Repeat(`{"pattern":"(a+)+"},`, 1000) + `{}]}}}`, want: "response_format"},
		{name: "patterns as names", member: `"response_format":{"type":"json_schema","json_schema":{"schema":{"patternProperties":{` + strings.Repeat(`"(a+)+b{9}":{},`, 500) + `"x":{}}}}}`, want: "response_format"},
		{name: "grammars below the bound, many", member: `"response_format":{"type":"structural_tag","structures":[` + strings.Repeat(`{"type":"grammar","grammar":"root ::= (a+)+"},`, 500) + `{}]}`, want: "response_format"},
		{name: "a large schema without patterns", member: `"response_format":{"type":"json_schema","json_schema":{"schema":{"anyOf":[` + strings.Repeat(`{"type":"object","description":"a row"},`, 300) + `{}]}}}`},
		{name: "a schema beyond any reason", member: `"response_format":{"type":"json_schema","json_schema":{"schema":{"anyOf":[` + strings.Repeat(`{"type":"object","description":"a row"},`, 3000) + `{}]}}}`, want: "response_format"},
		{name: "large structural tags", member: `"response_format":{"type":"structural_tag","structures":[{"begin":"` + big + `"}]}`, want: "response_format"},
		{name: "a small response format", member: `"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"string","pattern":"a+"}}}`},
		{name: "a large response format that the backend may get", member: `"response_format":{"type":"json_schema","json_schema":{"schema":{"pattern":"` + big + `"}}}`, fields: []string{"response_format"}},
		{name: "a large response format towards OpenAI", member: `"response_format":{"type":"json_schema","json_schema":{"schema":{"pattern":"` + big + `"}}}`, api: routing.OpenAI},
		{name: "a large output format of Messages", member: `"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"pattern":"` + big + `"}}}`, want: "output_config"},
		{name: "a small output format of Messages", member: `"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}`},
		{name: "a small pattern", member: `"guided_regex":"(a|b)"`},
		{name: "thinking off", member: `"chat_template_kwargs":{"enable_thinking":false}`},
		{name: "another template argument", member: `"chat_template_kwargs":{"enable_thinking":false,"tools_in_user_message":"x"}`, want: "chat_template_kwargs.tools_in_user_message"},
		{name: "thinking that is no boolean", member: `"chat_template_kwargs":{"enable_thinking":{"a":1}}`, want: "chat_template_kwargs.enable_thinking"},
		{name: "an argument that must not be repeated", member: `"chat_template_kwargs":{"a\nb":1}`, want: "chat_template_kwargs"},
		{name: "arguments that are no object", member: `"chat_template_kwargs":"x"`, want: "chat_template_kwargs"},
		{name: "null is absent", member: `"chat_template":null,"chat_template_kwargs":null,"n":null`},
		{name: "what vLLM knows besides", member: `"repetition_penalty":1.1,"min_p":0.05,"unheard_of":{}`},
		{name: "allowed by the backend", member: `"chat_template":"x"`, fields: []string{"chat_template"}},
		{name: "allowed with a plus", member: `"chat_template_kwargs":{"a":1}`, fields: []string{"+chat_template_kwargs"}},
		{name: "another one allowed", member: `"chat_template":"x"`, fields: []string{"cache_salt"}, want: "chat_template"},
		{name: "towards OpenAI all pass", member: `"n":9,"priority":1`, api: routing.OpenAI},
		{name: "towards Anthropic all pass", member: `"fallbacks":[]`, api: routing.Anthropic},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.api == "" {
				tc.api = routing.VLLM
			}
			f, body := scan(t, fmt.Sprintf(`{"model":"m",%s}`, tc.member))
			err := routing.CheckMembers(body, f, &routing.Backend{API: tc.api, Fields: tc.fields})
			var refused *routing.MemberError
			got := ""
			if errors.As(err, &refused) {
				got = refused.Name
			}
			if got != tc.want {
				t.Errorf("%.100s: refused %q, want %q", tc.member, got, tc.want)
			}
		})
	}
}

// Every name that a backend's fields may spell is one that would be refused
// without it; others are typing errors.
func TestFieldNames(t *testing.T) {
	names := routing.FieldNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted, or twice: %v", names)
	}
	bad := `"` + strings.Repeat("a", 4<<10) + `"` // no kind of value that any member takes
	for _, name := range names {
		if !routing.KnownField(name) {
			t.Errorf("%s is listed and not known", name)
		}
		f, body := scan(t, fmt.Sprintf(`{"model":"m",%q:%s}`, name, bad))
		if err := routing.CheckMembers(body, f, &routing.Backend{API: routing.VLLM}); err == nil {
			t.Errorf("%s is listed and never refused", name)
		}
		if err := routing.CheckMembers(body, f, &routing.Backend{API: routing.VLLM, Fields: []string{name}}); err != nil {
			t.Errorf("%s in fields: %v", name, err)
		}
	}
	for name, want := range map[string]bool{
		"chat_template": true, "guided_whitespace_pattern": true, "n": true, "chat_template_kwargs": true,
		"chat_template_kwargs.documents": true,
		"chat_templat":                   false, "+chat_template": false, "temperature": false, "": false,
		"chat_template_kwargs.": false, "chat_template_kwargs.a b": false, "chat_template.x": false,
	} {
		if got := routing.KnownField(name); got != want {
			t.Errorf("KnownField(%q) = %v, want %v", name, got, want)
		}
	}
	names[0] = "changed"
	if routing.FieldNames()[0] == "changed" {
		t.Error("a caller can change the list")
	}
}
