package vllmsim

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A tool as a coding agent offers it; the schema does not matter here.
func agentTools(names ...string) (tools []Tool) {
	for _, n := range names {
		tools = append(tools, Tool{Name: n, Parameters: json.RawMessage(`{"type":"object"}`)})
	}
	return tools
}

// said runs the scripted engine and parses what it says.
func said(t *testing.T, req *Request) (content string, calls []callDelta) {
	t.Helper()
	req.Thinking, req.Parallel, req.N = true, true, 1
	if len(req.Tools) > 0 && req.Choice.Mode == ChoiceNone {
		req.Choice.Mode = ChoiceAuto
	}
	tokens, err := Scripted{}.Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{}).newParser(req)
	for tok, err := range tokens {
		if err != nil {
			t.Fatal(err)
		}
		content += p.next(tok).content
	}
	return splitCalls(content, newToolID)
}

const environment = "You are an agent.\n - Primary working directory: /home/ann/my app\n - Platform: linux"

func TestSentences(t *testing.T) {
	for _, tc := range []struct {
		name, prompt string
		tools        []Tool
		rounds       int // tool rounds that were answered already
		call, args   string
		text         string // beginning of the text instead of a call
	}{
		{name: "create", prompt: "Create a file hello.txt with the text hi", tools: agentTools("Bash", "Write"), call: "Write", args: `{"file_path": "/home/ann/my app/hello.txt", "content": "hi"}`},
		{name: "create, quoted", prompt: "Please write a new file named `a/b.md` containing \"x, \\\"y\\\"\".", tools: agentTools("Write"), call: "Write", args: `{"file_path": "/home/ann/my app/a/b.md", "content": "x, \\\"y\\\""}`},
		{name: "an absolute name stays", prompt: "create file /srv/x with the content 1", tools: agentTools("Write"), call: "Write", args: `{"file_path": "/srv/x", "content": "1"}`},
		{name: "create without Write", prompt: "Create a file hello.txt with the text it's", tools: agentTools("Bash"), call: "Bash", args: `{"command": "echo 'it'\\''s' > '/home/ann/my app/hello.txt'", "description": "Asked for by the prompt"}`},
		{name: "create, then done", prompt: "Create a file hello.txt with the text hi", tools: agentTools("Write"), rounds: 1, text: "The tool answered: done 1 ("},
		{name: "create without tools", prompt: "Create a file hello.txt with the text hi", text: "The simulator understood that, but the request offers no tool"},
		{name: "edit reads first", prompt: "In a.go replace foo with bar", tools: agentTools("Read", "Edit"), call: "Read", args: `{"file_path": "/home/ann/my app/a.go"}`},
		{name: "then edits", prompt: "In a.go replace foo with bar", tools: agentTools("Read", "Edit"), rounds: 1, call: "Edit", args: `{"file_path": "/home/ann/my app/a.go", "old_string": "foo", "new_string": "bar"}`},
		{name: "then closes", prompt: "In a.go replace foo with bar", tools: agentTools("Read", "Edit"), rounds: 2, text: "The tool answered: done 2 ("},
		{name: "edit, other words", prompt: "Edit the file a.go and change 'a b' to 'c d'", tools: agentTools("Read", "Edit"), rounds: 1, call: "Edit", args: `{"file_path": "/home/ann/my app/a.go", "old_string": "a b", "new_string": "c d"}`},
		{name: "replace … in", prompt: "Replace foo with bar in a.go", tools: agentTools("Read", "Edit"), rounds: 1, call: "Edit", args: `{"file_path": "/home/ann/my app/a.go", "old_string": "foo", "new_string": "bar"}`},
		{name: "run", prompt: "Run the command `ls -l`", tools: agentTools("Bash"), call: "Bash", args: `{"command": "ls -l", "description": "Asked for by the prompt"}`},
		{name: "a marker", prompt: `[[sim tool Write {"file_path":"/x","content":"]]"}]]`, tools: agentTools("Write"), call: "Write", args: `{"file_path":"/x","content":"]]"}`},
		{name: "a marker, then closes", prompt: `[[sim tool Write {}]]`, tools: agentTools("Write"), rounds: 1, text: "The tool answered: done 1 ("},
		{name: "anything else", prompt: "What is love?", tools: agentTools("Write"), text: "This is a simulated answer from the built-in vLLM simulator, not a model. You said: What is love?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := &Request{Tools: tc.tools, Messages: []Message{
				{Role: "system", Text: environment},
				{Role: "user", Text: "<system-reminder>\nCreate a file bad with the text bad\n</system-reminder>\n\n" + tc.prompt},
				{Role: "system", Text: "Available agents: none."},
			}}
			for i := range tc.rounds {
				req.Messages = append(req.Messages, Message{Role: "assistant", Calls: []Call{{Name: "X", Arguments: "{}"}}},
					Message{Role: "tool", Text: "done " + string(rune('1'+i))}, Message{Role: "user", Text: "<system-reminder>hm</system-reminder>"})
			}
			content, calls := said(t, req)
			switch {
			case tc.text != "":
				if !strings.HasPrefix(content, tc.text) || calls != nil {
					t.Errorf("said %q and called %+v, want %q", content, calls, tc.text)
				}
			case len(calls) != 1 || calls[0].name != tc.call || calls[0].arguments != tc.args:
				t.Errorf("called %+v, want %s %s", calls, tc.call, tc.args)
			}
		})
	}
}

func TestFailedToolEndsTheWork(t *testing.T) {
	req := &Request{Tools: agentTools("Read", "Edit"), Messages: []Message{
		{Role: "user", Text: "In a.go replace foo with bar"},
		{Role: "assistant", Calls: []Call{{Name: "Read", Arguments: "{}"}}},
		{Role: "tool", Text: "<tool_use_error>File does not exist.</tool_use_error>"},
	}}
	content, calls := said(t, req)
	if calls != nil || !strings.HasPrefix(content, "The tool failed: ") {
		t.Errorf("said %q and called %+v, want a text about the failure", content, calls)
	}
}

func TestStructuredAnswers(t *testing.T) {
	for _, tc := range []struct{ schema, want string }{
		{`{"type":"object","properties":{"title":{"type":"string"}},"required":["title"],"additionalProperties":false}`, `{"title": "Simulated session"}`},
		{`{}`, `{"simulated": true}`},
		{`{"type":"object","properties":{"b":{"type":["integer","null"],"minimum":3},"a":{"enum":["x","y"]},"c":{"type":"boolean"}}}`, `{"a": "x", "b": 3, "c": false}`},
		{`{"type":"array","minItems":2,"items":{"const":7}}`, `[7, 7]`},
		{`{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/n"}]}},"required":["next"]}}}`, `{"next": null}`},
		{`{"type":"string","minLength":12,"maxLength":12}`, `"simulated..."`},
	} {
		content, _ := said(t, &Request{Schema: json.RawMessage(tc.schema), Messages: []Message{{Role: "user", Text: "x"}}})
		if content != tc.want {
			t.Errorf("schema %s answered %s, want %s", tc.schema, content, tc.want)
		}
	}
	// A schema that demands itself ends.
	endless := `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}},"required":["next"]}}}`
	if got := fitting(json.RawMessage(endless)); !json.Valid(got) {
		t.Errorf("fitting(endless) = %s", got)
	}
}

func TestForcedTool(t *testing.T) {
	tools := []Tool{{Name: "a", Parameters: json.RawMessage(`{}`)}, {Name: "b", Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)}}
	_, calls := said(t, &Request{Tools: tools, Choice: Choice{Mode: ChoiceNamed, Name: "b"}, Messages: []Message{{Role: "user", Text: "x"}}})
	if len(calls) != 1 || calls[0].name != "b" || calls[0].arguments != `{"city": "simulated"}` {
		t.Errorf("called %+v, want b with a city", calls)
	}
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tokens, err := Scripted{Gap: time.Hour}.Generate(t.Context(), &Request{Messages: []Message{{Role: "user", Text: "[[sim first=3s gap=50ms n=5]]"}}})
		if err != nil {
			t.Fatal(err)
		}
		var at []time.Duration
		for range tokens {
			at = append(at, time.Since(start))
		}
		// Five words and the end.
		if len(at) != 6 || at[0] != 3*time.Second || at[5] != 3*time.Second+5*50*time.Millisecond {
			t.Errorf("tokens came at %v, want the first after 3 s and then one each 50 ms", at)
		}
	})
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		"hello world":  "hell|o| wor|ld",
		"a  b\n\nc":    "a|  b|\n\nc",
		"Grüße 世界🎉":    "Grü|ße| 世|界|🎉",
		"":             "",
		"\n":           "\n",
		"aaaabbbbcc\n": "aaaa|bbbb|cc|\n",
	} {
		if got := strings.Join(splitTokens(text, 4), "|"); got != want {
			t.Errorf("splitTokens(%q) = %q, want %q", text, got, want)
		}
	}
}
