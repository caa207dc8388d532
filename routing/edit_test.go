package routing_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/routing"
	"github.com/openova-io/llm-gateway/routing/anthropic/stricttest"
)

func TestEdits(t *testing.T) {
	vllm := routing.Backend{Name: "internal", API: routing.VLLM, NativeMessages: true}
	claude := routing.Backend{Name: "claude", API: routing.Anthropic, External: true}
	openai := routing.Backend{Name: "openai", API: routing.OpenAI, External: true}
	qwen := routing.Model{ID: "qwen3-32b", ContextLength: 40960}
	o, a := dialect.OpenAI, dialect.Anthropic
	for _, tc := range []struct {
		name      string
		backend   routing.Backend
		model     routing.Model
		options   routing.EditOptions
		changed   bool // the target is not the model that was asked for
		body      string
		want      string
		hide      bool
		maxTokens int64
	}{
		{
			name: "only the model's value", backend: vllm, options: routing.EditOptions{Dialect: o},
			body: "{ \"model\" :\"asked\",\n\"seed\":9007199254740993, \"x\":\"\\u00e9\\/\"}",
			want: "{ \"model\" :\"up\",\n\"seed\":9007199254740993, \"x\":\"\\u00e9\\/\"}",
		},
		{name: "the model already right: nothing", backend: openai, options: routing.EditOptions{Dialect: o}, body: `{"model":"up"}`, want: `{"model":"up"}`},
		{name: "an escaped model is written plainly", backend: openai, options: routing.EditOptions{Dialect: o}, body: `{"model":"\u0075p"}`, want: `{"model":"up"}`},
		{name: "clamped to the context", backend: vllm, model: qwen, options: routing.EditOptions{Dialect: a}, body: `{"model":"asked","max_tokens":128000}`, want: `{"model":"up","max_tokens":40960}`, maxTokens: 40960},
		{name: "clamped to the tier", backend: vllm, model: qwen, options: routing.EditOptions{Dialect: o, MaxTokens: 16000}, body: `{"model":"asked","max_tokens":20000,"max_completion_tokens":17000}`, want: `{"model":"up","max_tokens":16000,"max_completion_tokens":16000}`, maxTokens: 16000},
		{name: "below both", backend: vllm, model: qwen, options: routing.EditOptions{Dialect: o, MaxTokens: 16000}, body: `{"model":"asked","max_tokens":5}`, want: `{"model":"up","max_tokens":5}`, maxTokens: 5},
		{name: "no limit asked, the tier has one", backend: vllm, model: qwen, options: routing.EditOptions{Dialect: o, MaxTokens: 16000}, body: `{"model":"asked"}`, want: `{"model":"up","max_tokens":16000}`, maxTokens: 16000},
		{name: "no limit asked of OpenAI", backend: openai, options: routing.EditOptions{Dialect: o, MaxTokens: 16000}, body: `{"model":"asked","max_completion_tokens":null}`, want: `{"model":"up","max_completion_tokens":16000}`, maxTokens: 16000},
		{name: "no limit asked, none known", backend: vllm, model: qwen, options: routing.EditOptions{Dialect: o}, body: `{"model":"asked"}`, want: `{"model":"up"}`},
		{name: "the context of Claude bounds input only", backend: claude, model: routing.Model{ContextLength: 1000, MaxOutput: 64000}, options: routing.EditOptions{Dialect: a}, body: `{"model":"asked","max_tokens":128000}`, want: `{"model":"up","max_tokens":64000}`, maxTokens: 64000},
		{name: "a Claude model that was asked for", backend: claude, options: routing.EditOptions{Dialect: a}, body: `{"model":"asked","max_tokens":128000,"temperature":0.3}`, want: `{"model":"up","max_tokens":128000,"temperature":0.3}`, maxTokens: 128000},
		{name: "a Claude model that was not", backend: claude, changed: true, options: routing.EditOptions{Dialect: a}, body: `{"model":"asked","max_tokens":128000,"temperature":0.3}`, want: `{"model":"up","max_tokens":64000}`, maxTokens: 64000},
		{name: "count_tokens has no limit", backend: claude, options: routing.EditOptions{Dialect: a, MaxTokens: 5, CountTokens: true}, body: `{"model":"asked","messages":[]}`, want: `{"model":"up","messages":[]}`},
		{name: "count_tokens of another model", backend: claude, changed: true, options: routing.EditOptions{Dialect: a, CountTokens: true}, body: `{"model":"asked","thinking":{"type":"adaptive"},"messages":[{"role":"system","content":"x"}]}`, want: `{"model":"up","messages":[{"role":"user","content":"x"}]}`},
		{name: "usage of a stream", backend: vllm, options: routing.EditOptions{Dialect: o}, body: `{"model":"asked","stream":true}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, hide: true},
		{name: "usage asked for", backend: vllm, options: routing.EditOptions{Dialect: o}, body: `{"model":"asked","stream":true,"stream_options":{"include_usage":true}}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`},
		{name: "usage not wanted", backend: vllm, options: routing.EditOptions{Dialect: o}, body: `{"model":"asked","stream":true,"stream_options":{"include_usage":false}}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, hide: true},
		{name: "other stream options", backend: vllm, options: routing.EditOptions{Dialect: o}, body: `{"model":"asked","stream":true,"stream_options":{"continuous_usage_stats":true}}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}`, hide: true},
		{name: "empty and null stream options", backend: vllm, options: routing.EditOptions{Dialect: o}, body: `{"model":"asked","stream":true,"stream_options":null}`, want: `{"model":"up","stream":true,"stream_options":{"include_usage":true}}`, hide: true},
		{name: "no stream, no stream options", backend: vllm, options: routing.EditOptions{Dialect: o}, body: `{"model":"asked","stream":false}`, want: `{"model":"up","stream":false}`},
		{name: "the billing line stays inside the house's door", backend: vllm, options: routing.EditOptions{Dialect: a}, body: `{"model":"asked","system":[{"type":"text","text":"x-anthropic-billing-header: x"},{"type":"text","text":"s"}]}`, want: `{"model":"up","system":[{"type":"text","text":"s"}]}`},
		{name: "Claude gets it byte for byte", backend: claude, options: routing.EditOptions{Dialect: a}, body: `{"model":"asked","system":[{"type":"text","text":"x-anthropic-billing-header: x"}]}`, want: `{"model":"up","system":[{"type":"text","text":"x-anthropic-billing-header: x"}]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, body := scan(t, tc.body)
			rt := routing.Route{Backend: tc.backend.Name, Model: "asked", Upstream: "up", Same: !tc.changed}
			edits, notes := routing.Edits(nil, body, f, &rt, &tc.backend, tc.model, tc.options)
			if got := string(jsonbody.Apply(nil, body, edits)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if notes.HideUsage != tc.hide || notes.MaxTokens != tc.maxTokens {
				t.Errorf("notes %+v, want hide %v, limit %d", notes, tc.hide, tc.maxTokens)
			}
		})
	}
}

// The whole way of a Claude Code request on the pro tier: table, edits, and a
// backend as strict as Haiku 4.5.
func TestOpusBodyReachesHaiku(t *testing.T) {
	body := `{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi"},{"role":"system","content":"s","output_config":{"effort":"low"}}],` +
		`"tools":[{"name":"Edit","input_schema":{}},{"name":"Late","defer_loading":true,"input_schema":{}}],"max_tokens":128000,` +
		`"thinking":{"type":"adaptive"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"output_config":{"effort":"medium"},"stream":true}`
	table := defaultTable(t)
	f, raw := scan(t, body)
	rt, err := table.Resolve("pro", f.Model)
	if err != nil {
		t.Fatal(err)
	}
	edits, notes := routing.Edits(nil, raw, f, &rt, table.Backend(rt.Backend), table.Model(rt.Backend, rt.Upstream), routing.EditOptions{})
	out := jsonbody.Apply(nil, raw, edits)
	if err := stricttest.Haiku45(out); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if notes.MaxTokens != 64000 {
		t.Errorf("limit %d, want Haiku's 64000", notes.MaxTokens)
	}
}

func TestParseModels(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "vllm-models.json"))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := routing.ParseModels(routing.VLLM, raw); err != nil || len(m) != 1 || m[0].ID != "qwen3-32b" || m[0].ContextLength != 8192 {
		t.Errorf("vLLM: %+v, %v", m, err)
	}
	claude := `{"data":[{"type":"model","id":"claude-haiku-4-5-20251001","display_name":"Claude Haiku 4.5","max_input_tokens":200000,"max_tokens":64000,"lifecycle":"active",
		"capabilities":{"thinking":{"supported":true,"types":{"enabled":{"supported":true},"adaptive":{"supported":false}}},"effort":{"supported":false}}},
		{"id":"claude-3-opus","lifecycle":"retired"},{"id":"claude-x","capabilities":null},{"id":"claude-y","capabilities":[]},{"id":""}],"has_more":false}`
	m, err := routing.ParseModels(routing.Anthropic, []byte(claude))
	if err != nil || len(m) != 3 || m[0].MaxOutput != 64000 || m[0].DisplayName != "Claude Haiku 4.5" || m[0].ContextLength != 200000 {
		t.Fatalf("Anthropic: %+v, %v", m, err)
	}
	if c := m[0].Capabilities; c == nil || !c.Enabled || c.Adaptive || c.Efforts != nil || c.MaxOutput != 64000 {
		t.Errorf("capabilities %+v", c)
	}
	if m[1].Capabilities != nil || m[2].Capabilities != nil {
		t.Error("capabilities nobody could read must be unknown")
	}
	if m, err := routing.ParseModels(routing.OpenAICompatible, []byte(`{"models":[{"name":"llama3:8b"}]}`)); err != nil || len(m) != 1 || m[0].ID != "llama3:8b" {
		t.Errorf("Ollama: %+v, %v", m, err)
	}
}

// What is learnt from an answer replaces what was known, so an answer that
// names nothing must not pass for a list.
func TestParseModelsRefusesWhatNamesNothing(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		empty      bool // a list, but one without models
	}{
		{name: "HTML", body: `<html>`},
		{name: "cut off", body: `{"object":"list","data":[{"id":"m"}`},
		{name: "an error with status 200", body: `{"object":"error","message":"overloaded"}`},
		{name: "an error as OpenAI words it", body: `{"error":{"message":"x"}}`},
		{name: "an empty object", body: `{}`},
		{name: "null", body: `null`},
		{name: "an array", body: `[{"id":"m"}]`},
		{name: "data of another kind", body: `{"data":{"id":"m"}}`},
		{name: "an empty list", body: `{"object":"list","data":[]}`, empty: true},
		{name: "an empty list of Go servers", body: `{"object":"list","data":null}`, empty: true},
		{name: "an empty list of Ollama", body: `{"models":[]}`, empty: true},
		{name: "only retired models", body: `{"data":[{"id":"m","lifecycle":"retired"}]}`, empty: true},
		{name: "only names that nobody can ask for", body: `{"data":[{"id":""},{"id":"a b"},{"id":"http://x"}],"models":[{"name":"ä"}]}`, empty: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := routing.ParseModels(routing.VLLM, []byte(tc.body))
			if err == nil || len(m) != 0 || errors.Is(err, routing.ErrNoModels) != tc.empty {
				t.Errorf("ParseModels(%s) = %+v, %v; want an error, ErrNoModels: %v", tc.body, m, err, tc.empty)
			}
		})
	}
}

// A route that changes nothing but the model costs no walk of the body.
func BenchmarkEdits(b *testing.B) {
	body := fmt.Sprintf(`{"model":"claude-opus-5-5","max_tokens":100,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("text ", 30000))
	f, raw := scan(b, body)
	rt := routing.Route{Upstream: "claude-opus-5", Same: true}
	backend := routing.Backend{API: routing.Anthropic}
	edits := make([]jsonbody.Edit, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		edits, _ = routing.Edits(edits[:0], raw, f, &rt, &backend, routing.Model{}, routing.EditOptions{})
	}
}
