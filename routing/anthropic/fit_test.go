package anthropic_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/routing/anthropic"
	"github.com/openova-io/llm-gateway/routing/anthropic/stricttest"
)

const haiku = "claude-haiku-4-5-20251001"

func scan(t testing.TB, body string) (*jsonbody.Facts, []byte) {
	t.Helper()
	f := new(jsonbody.Facts)
	if err := jsonbody.Scan([]byte(body), f); err != nil {
		t.Fatalf("Scan(%s): %v", body, err)
	}
	return f, []byte(body)
}

// fit fits a body to Haiku 4.5 as the route of the pro tier does.
func fit(t testing.TB, body string) string {
	t.Helper()
	f, raw := scan(t, body)
	takes := anthropic.Assume(haiku)
	edits := f.ReplaceModel(nil, haiku)
	most := f.MaxTokens
	if most > takes.MaxOutput {
		most = takes.MaxOutput
		edits = append(edits, f.Replace(f.MaxTokensValue, []byte(fmt.Sprint(most))))
	}
	edits = anthropic.Fit(edits, raw, f, anthropic.Target{Model: haiku, Takes: takes, MaxTokens: most})
	out := string(jsonbody.Apply(nil, raw, edits))
	if !json.Valid([]byte(out)) {
		t.Fatalf("no JSON:\n%s\nfrom\n%s", out, body)
	}
	return out
}

func signature(model string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x12\x40\x0a\x18" + strings.Repeat("\x01\x02\xff", 40) + "\x32\x19" + model + "\x38\x00"))
}

// claudeCode is shaped like what Claude Code sends when it believes in Opus:
// adaptive thinking, effort, a system turn with output_config, deferred tools,
// context management. %s are the messages behind the first two.
func claudeCode(messages string) string {
	return `{"model":"claude-opus-5-5","messages":[
 {"role":"user","content":[{"type":"text","text":"<env>linux</env>"},{"type":"text","text":"rename foo to bar","cache_control":{"type":"ephemeral"}}]},
 {"role":"system","content":"Today is Monday.","output_config":{"effort":"medium"}}` + messages + `],
"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.330; cch=abcde;"},{"type":"text","text":"You edit files.","cache_control":{"type":"ephemeral"}}],
"tools":[{"name":"Edit","description":"Edits","input_schema":{"type":"object","properties":{"n":{"const":9007199254740993}}}},
 {"name":"ToolSearch","description":"Finds tools","input_schema":{"type":"object"}},
 {"name":"WebFetch","defer_loading":true,"description":"Fetches","input_schema":{"type":"object"}},
 {"name":"Notebook","description":"Notebooks","input_schema":{"type":"object"},"defer_loading":true}],
"metadata":{"user_id":"{\"session\":\"s\"}"},"max_tokens":128000,"thinking":{"type":"adaptive","display":"summarized"},
"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"safeguards":{"dangerous_tool_use":{}},
"output_config":{"effort":"xhigh"},"stream":true}`
}

func call(id string) string {
	return `{"type":"tool_use","id":"` + id + `","name":"Edit","input":{"n":9007199254740993}}`
}

func thought(model string) string {
	return `{"type":"thinking","thinking":"hm","signature":"` + signature(model) + `"}`
}

func assistant(blocks ...string) string {
	return `,{"role":"assistant","content":[` + strings.Join(blocks, ",") + `]}`
}

func result(id string) string {
	return `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + id + `","content":"ok"}]}`
}

// bodies are the shapes that a session of Claude Code goes through.
var bodies = []struct{ name, body string }{
	{name: "the first prompt", body: claudeCode("")},
	{name: "a tool loop of its own", body: claudeCode(assistant(thought(haiku), call("a")) + result("a"))},
	{name: "a tool loop, its second round", body: claudeCode(assistant(thought(haiku), call("a")) + result("a") + assistant(call("b")) + result("b"))},
	{name: "a tool loop that opus began", body: claudeCode(assistant(thought("claude-opus-5-5"), call("a")) + result("a"))},
	{name: "a tool loop that nobody thought in", body: claudeCode(assistant(call("a")) + result("a"))},
	{name: "an older turn of opus", body: claudeCode(assistant(thought("claude-opus-5-5"), `{"type":"text","text":"done"}`) + `,{"role":"user","content":"more"}`)},
	{name: "a turn of nothing but thought", body: claudeCode(assistant(thought("claude-opus-5-5")) + `,{"role":"user","content":"more"}`)},
	{name: "unsigned and foreign thought", body: claudeCode(assistant(`{"type":"thinking","thinking":"x"}`, `{"type":"thinking","thinking":"x","signature":"0123456789abcdef0123456789abcdef"}`, `{"type":"redacted_thinking","data":"xx"}`, `{"type":"thinking","thinking":"x","signature":"llmgw:v1"}`, `{"type":"text","text":"done"}`) + `,{"role":"user","content":"more"}`)},
	{name: "a system turn between call and result", body: claudeCode(assistant(call("a")) + `,{"role":"system","content":[{"type":"text","text":"hurry"},{"type":"tool_addition","tool":{"type":"tool_reference","name":"WebFetch"}}]}` + result("a"))},
	{name: "a system turn between call and result in a string", body: claudeCode(assistant(call("a")) + `,{"role":"system","content":"hurry"},{"role":"system","content":"now"}` + result("a"))},
	{name: "a system turn without text", body: claudeCode(`,{"role":"system","output_config":{"effort":"low"}},{"role":"system","content":[{"type":"tool_removal","tool":{"type":"tool_reference","name":"Edit"}}]}`)},
	{name: "a system turn that was cleared", body: claudeCode(assistant(`{"type":"text","text":"done"}`) + `,{"role":"system","clear_at":"next_user_message","content":"gone"},{"role":"user","content":"more"}`)},
	{name: "a tool that was found", body: claudeCode(assistant(call("a")) + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_reference","tool_name":"WebFetch"}]},{"type":"text","text":"go on"}]}`)},
	{name: "a small limit: no room for thought", body: strings.Replace(claudeCode(""), "128000", "1500", 1)},
	{name: "a forced tool", body: strings.Replace(claudeCode(""), `"max_tokens"`, `"tool_choice":{"type":"tool","name":"Edit"},"max_tokens"`, 1)},
	{name: "fixed budget above the limit", body: strings.Replace(claudeCode(""), `{"type":"adaptive","display":"summarized"}`, `{"type":"enabled","budget_tokens":127999}`, 1)},
	{name: "thinking off", body: strings.Replace(claudeCode(""), `{"type":"adaptive","display":"summarized"}`, `{"type":"disabled"}`, 1)},
	{name: "thinking between tools", body: strings.Replace(claudeCode(""), `{"type":"adaptive","display":"summarized"}`, `{"type":"between_tools"}`, 1)},
	{name: "sampling beside thinking", body: strings.Replace(claudeCode(""), `"stream":true`, `"temperature":0.5,"top_p":0.9,"top_k":4,"speed":"fast"`, 1)},
	{name: "sampling alone", body: `{"model":"claude-opus-4-6","max_tokens":100,"temperature":0.5,"top_p":0.9,"messages":[{"role":"user","content":"x"}]}`},
	{name: "format beside effort", body: strings.Replace(claudeCode(""), `{"effort":"xhigh"}`, `{"effort":"xhigh","format":{"type":"json_schema","schema":{}}}`, 1)},
	{name: "all tools deferred", body: `{"model":"claude-opus-5-5","max_tokens":9,"tool_choice":{"type":"auto"},"tools":[{"name":"a","defer_loading":true}],"messages":[{"role":"user","content":"x"}]}`},
	{name: "escaped names", body: `{"model":"claude-opus-5-5","max_tokens":9000,"thi\u006eking":{"ty\u0070e":"adap\u0074ive"},"messages":[{"r\u006fle":"sys\u0074em","content":"x"}]}`},
}

// A body that was written for Opus must pass a backend as strict as Haiku 4.5.
func TestFitPassesHaiku(t *testing.T) {
	for _, tc := range bodies {
		t.Run(tc.name, func(t *testing.T) {
			if err := stricttest.Haiku45([]byte(tc.body)); err == nil {
				t.Error("passes unfitted: the case proves nothing")
			}
			out := fit(t, tc.body)
			if err := stricttest.Haiku45([]byte(out)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if again := fit(t, tc.body); again != out {
				t.Error("the same history gave other bytes: the prompt cache would miss")
			}
		})
	}
}

// What is fitted says the same, as far as the target can hear it.
func TestFitKeepsTheMeaning(t *testing.T) {
	body := func(name string) string {
		for _, b := range bodies {
			if b.name == name {
				return fit(t, b.body)
			}
		}
		t.Fatalf("no body %q", name)
		return ""
	}
	for _, tc := range []struct {
		name       string
		with, sans []string
	}{
		{
			name: "the first prompt",
			with: []string{`"thinking":{"type":"enabled","budget_tokens":31999}`, `"clear_thinking_20251015"`, `{"role":"user","content":"Today is Monday."}`, `"max_tokens":64000`, `"const":9007199254740993`, `x-anthropic-billing-header`, `"safeguards"`},
			sans: []string{"effort", "WebFetch", "Notebook", "defer_loading"},
		},
		{name: "a tool loop of its own", with: []string{signature(haiku), `"type":"enabled"`}},
		{name: "a tool loop that opus began", with: []string{`"tool_use"`}, sans: []string{signature("claude-opus-5-5"), `"thinking"`, "clear_thinking"}},
		{name: "a turn of nothing but thought", with: []string{`"content":"more"`}, sans: []string{`"assistant"`}},
		{name: "a system turn between call and result", with: []string{`"content":"ok"},{"type":"text","text":"hurry"}]`, `{"name":"WebFetch","description"`}, sans: []string{"tool_addition"}},
		{name: "a system turn between call and result in a string", with: []string{`,{"type":"text","text":"hurry"},{"type":"text","text":"now"}]`}},
		{name: "a system turn that was cleared", sans: []string{"gone", "clear_at"}},
		{name: "a tool that was found", with: []string{"Tool WebFetch is available now.", `{"name":"WebFetch","description"`}, sans: []string{"Notebook"}},
		{name: "a small limit: no room for thought", sans: []string{`"thinking"`, "context_management"}},
		{name: "fixed budget above the limit", with: []string{`"budget_tokens":32000`}},
		{name: "thinking between tools", with: []string{`"thinking":{"type":"disabled"}`}},
		{name: "sampling alone", with: []string{`"temperature":0.5`}, sans: []string{"top_p"}},
		{name: "format beside effort", with: []string{`"output_config":{"format":{"type":"json_schema","schema":{}}}`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := body(tc.name)
			for _, s := range tc.with {
				if !strings.Contains(out, s) {
					t.Errorf("lacks %s:\n%s", s, out)
				}
			}
			for _, s := range tc.sans {
				if strings.Contains(out, s) {
					t.Errorf("still has %s:\n%s", s, out)
				}
			}
		})
	}
}

// Swaps that other targets need.
func TestFitOtherTargets(t *testing.T) {
	for _, tc := range []struct {
		name, model, body string
		with, sans        []string
	}{
		{name: "fixed to adaptive", model: "claude-opus-4-8", body: `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":4000},"temperature":1,"messages":[]}`, with: []string{`"thinking":{"type":"adaptive"}`}, sans: []string{"temperature"}},
		{name: "effort to the next lower level", model: "claude-opus-4-6", body: `{"model":"m","max_tokens":9000,"output_config":{"effort":"xhigh"},"messages":[]}`, with: []string{`{"effort":"high"}`}},
		{name: "effort that the target has", model: "claude-opus-5-5", body: `{"model":"m","max_tokens":9000,"output_config":{"effort":"xhigh"},"messages":[]}`, with: []string{`{"effort":"xhigh"}`}},
		{name: "an unknown model gets the least", model: "claude-new-9", body: `{"model":"m","max_tokens":9000,"thinking":{"type":"disabled"},"top_k":3,"output_config":{"effort":"low"},"context_management":{"edits":[]},"messages":[{"role":"system","content":"x"}]}`, with: []string{`"role":"user"`}, sans: []string{"thinking", "top_k", "effort", "context_management"}},
		{name: "system turns where they are taken", model: "claude-opus-5-5", body: `{"model":"m","max_tokens":9000,"messages":[{"role":"system","content":"x","output_config":{"effort":"low"}}]}`, with: []string{`"role":"system"`, `"output_config"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, raw := scan(t, tc.body)
			edits := anthropic.Fit(nil, raw, f, anthropic.Target{Model: tc.model, Takes: anthropic.Assume(tc.model), MaxTokens: f.MaxTokens})
			out := string(jsonbody.Apply(nil, raw, edits))
			for _, s := range tc.with {
				if !strings.Contains(out, s) {
					t.Errorf("lacks %s: %s", s, out)
				}
			}
			for _, s := range tc.sans {
				if strings.Contains(out, s) {
					t.Errorf("still has %s: %s", s, out)
				}
			}
		})
	}
}

// For the model that was asked for, bytes stay, but for thinking that nobody at
// Anthropic signed.
func TestFitSameModel(t *testing.T) {
	fixed := `"thinking":{"type":"enabled","budget_tokens":2000},`
	turn := func(signature string) string {
		return `{"model":"claude-opus-5-5","max_tokens":9000,%s"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"` + signature + `"},{"type":"tool_use","id":"a","name":"b","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"c"}]}]}`
	}
	vllm := strings.Repeat("0a", 16)
	for _, tc := range []struct {
		name, body, want string
		most             int64
	}{
		{name: "real signatures stay byte for byte", body: fmt.Sprintf(turn("EqQBCgIYAg=="), fixed), want: fmt.Sprintf(turn("EqQBCgIYAg=="), fixed)},
		{name: "vLLM's go, and thinking with them", body: fmt.Sprintf(turn(vllm), fixed+`"context_management":{"edits":[{"type":"clear_thinking_20251015"}]},`), want: strings.Replace(fmt.Sprintf(turn(vllm), ""), `{"type":"thinking","thinking":"t","signature":"`+vllm+`"},`, "", 1)},
		{name: "adaptive thinking may stay", body: fmt.Sprintf(turn(""), `"thinking":{"type":"adaptive"},`), want: strings.Replace(fmt.Sprintf(turn(""), `"thinking":{"type":"adaptive"},`), `{"type":"thinking","thinking":"t","signature":""},`, "", 1)},
		{name: "nothing to do", body: claudeCode(""), want: claudeCode("")},
		{name: "the budget follows a clamped limit", body: `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":8000},"messages":[]}`, most: 4000, want: `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, raw := scan(t, tc.body)
			if tc.most == 0 {
				tc.most = f.MaxTokens
			}
			edits := anthropic.Fit(nil, raw, f, anthropic.Target{Model: "claude-opus-5-5", Same: true, MaxTokens: tc.most})
			if diff := cmp.Diff(tc.want, string(jsonbody.Apply(nil, raw, edits))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFitForeign(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{name: "the billing line goes", body: `{"model":"m","system":[{"type":"text","text":"x-anthropic-billing-header: a"},{"type":"text","text":"b"}]}`, want: `{"model":"m","system":[{"type":"text","text":"b"}]}`},
		{name: "with nothing else in system", body: `{"model":"m","system":[{"type":"text","text":"x-anthropic-billing-header: a"}],"stream":true}`, want: `{"model":"m","stream":true}`},
		{name: "a mention stays", body: `{"model":"m","system":[{"type":"text","text":"no x-anthropic-billing-header"}]}`, want: `{"model":"m","system":[{"type":"text","text":"no x-anthropic-billing-header"}]}`},
		{name: "a block keeps what stands below the line", body: `{"model":"m","system":[{"type":"text","text":"x-anthropic-billing-header: a\nYou are b."},{"type":"text","text":"c"}]}`, want: `{"model":"m","system":[{"type":"text","text":"You are b."},{"type":"text","text":"c"}]}`},
		{name: "a string that is nothing else", body: `{"model":"m","system":"x-anthropic-billing-header: cc_version=2.1; cch=0;","stream":true}`, want: `{"model":"m","stream":true}`},
		{name: "a string with the line only", body: `{"model":"m","system":"x-anthropic-billing-header: a\n","stream":true}`, want: `{"model":"m","stream":true}`},
		{name: "a string that begins with the line", body: `{"model":"m","system":"x-anthropic-billing-header: a\nYou are \u00e9 \"b\".\n\nc"}`, want: `{"model":"m","system":"You are \u00e9 \"b\".\n\nc"}`},
		{name: "a string that ends the line in other spellings", body: `{"model":"m","system":"x-anthropic-billing-header: \\n\"\ud83d\ude00\u000Ab\nc"}`, want: `{"model":"m","system":"b\nc"}`},
		{name: "a string that mentions the line later", body: `{"model":"m","system":"a\nx-anthropic-billing-header: b"}`, want: `{"model":"m","system":"a\nx-anthropic-billing-header: b"}`},
		{name: "a budget above the limit and no room", body: `{"model":"m","system":[{"type":"text","text":"x-anthropic-billing-header"}],"thinking":{"type":"enabled","budget_tokens":8000}}`, want: `{"model":"m"}`},
		{name: "a budget that fits stays", body: `{"model":"m","thinking":{"type":"enabled","budget_tokens":999}}`, want: `{"model":"m","thinking":{"type":"enabled","budget_tokens":999}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, raw := scan(t, tc.body)
			got := string(jsonbody.Apply(nil, raw, anthropic.FitForeign(nil, raw, f, 1500)))
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// The provider's word counts over what is assumed.
func TestParseCapabilities(t *testing.T) {
	got, err := anthropic.ParseCapabilities("claude-haiku-5-5", []byte(`{
		"thinking":{"supported":true,"types":{"adaptive":{"supported":true},"enabled":{"supported":false},"disabled":{"supported":true},"between_tools":{"supported":true}}},
		"effort":{"supported":true,"low":{"supported":true},"medium":{"supported":true},"high":{"supported":false},"max":{"supported":false},"xhigh":null},
		"context_management":{"supported":true,"clear_thinking_20251015":null,"clear_tool_uses_20250919":{"supported":true},"compact_20260112":{"supported":false}}}`))
	want := anthropic.Capabilities{
		Adaptive: true, Disabled: true, BetweenTools: true, Efforts: []string{"low", "medium"},
		ContextEdits: []string{"clear_tool_uses_20250919"}, MaxOutput: 64000,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	none, err := anthropic.ParseCapabilities("claude-opus-5-5", []byte(`{"effort":{"supported":false,"low":{"supported":true}}}`))
	if err != nil || none.Efforts != nil || !none.Adaptive {
		t.Errorf("%+v, %v: effort as a whole is not supported, thinking is not mentioned", none, err)
	}
	if _, err := anthropic.ParseCapabilities("m", []byte(`[]`)); err == nil {
		t.Error("an array is no capabilities object")
	}
}

// Whatever a client sends that the scanner takes, the edits do not overlap and
// leave JSON.
func FuzzFit(f *testing.F) {
	f.Add([]byte(`{"model":"m","system":"x-anthropic-billing-header: \\\n\u000ab"}`), false)
	for _, tc := range bodies {
		f.Add([]byte(tc.body), true)
		f.Add([]byte(tc.body), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, same bool) {
		facts := new(jsonbody.Facts)
		if jsonbody.Scan(body, facts) != nil {
			return
		}
		target := anthropic.Target{Model: haiku, Same: same, Takes: anthropic.Assume(haiku), MaxTokens: facts.MaxTokens}
		for _, edits := range [][]jsonbody.Edit{
			anthropic.Fit(nil, body, facts, target),
			anthropic.FitForeign(nil, body, facts, facts.MaxTokens),
		} {
			if out := jsonbody.Apply(nil, body, edits); !json.Valid(out) {
				t.Errorf("no JSON: %s\nfrom %s", out, body)
			}
		}
	})
}

// Bodies that clients make up must not cost more than their length.
func TestFitIsLinear(t *testing.T) {
	for _, tc := range []struct{ name, body string }{
		{name: "system turns", body: `{"model":"m","messages":[` + strings.Repeat(`{"role":"system","content":"x","clear_at":"next_user_message"},`, 30000) + `{"role":"assistant","content":"x"}]}`},
		{name: "messages beyond the API's own limit", body: `{"model":"m","messages":[` + strings.Repeat(`{"role":"system","content":"x"},`, 100001) + `{}]}`},
		{name: "blocks", body: `{"model":"m","messages":[{"role":"assistant","content":[` + strings.Repeat(`{},`, 200000) + `{}]}]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, raw := scan(t, tc.body)
			began := time.Now()
			anthropic.Fit(nil, raw, f, anthropic.Target{Model: haiku, Takes: anthropic.Assume(haiku)})
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%d bytes took %v", len(raw), took)
			}
		})
	}
}
