package vllmsim

import (
	"context"
	"iter"
	"strings"
)

// tinyModel answers as the model behind the recordings does: a fixed table from
// the last user message to a raw answer, tags included.
type tinyModel struct {
	size    int   // longest token in bytes; where an answer is cut depends on it
	refusal error // instead of an answer
	fault   error // after as many tokens as this says
	abort   bool
	after   int
}

func toolCall(name, arguments string) string {
	return CallStart + "\n" + `{"name": "` + name + `", "arguments": ` + arguments + "}\n" + CallEnd
}

var (
	noTags  = "no tags"
	unknown = tinyAnswer{answer: "I do not know."}
	tiny    = map[string]tinyAnswer{
		"hello":         {"", "Hello! How can I help you today?"},
		"think":         {"The user wants a thought.\nI give one.", "Here is the answer."},
		"weather":       {"I need the weather tool.", toolCall("get_weather", `{"city": "Paris"}`)},
		"two cities":    {"", toolCall("get_weather", `{"city": "Paris"}`) + "\n" + toolCall("get_weather", `{"city": "Rome"}`)},
		"text and tool": {"", "I look it up.\n" + toolCall("get_weather", `{"city": "Oslo"}`)},
		"nested": {"", toolCall("store",
			`{"id": 9007199254740993, "tags": ["a", "b"], "deep": {"x": null, "y": 1.50, "t": "Grüße \"q\" \\n 🎉"}}`)},
		"no arguments": {"", toolCall("ping", "{}")},
		"bad tool":     {"", CallStart + "\n" + `{"name": "get_weather", "arguments": {"city": "Par` + "\n" + CallEnd},
		"unicode":      {"", "Grüße, 世界! 🎉 नमस्ते 👨\u200D👩\u200D👧 done"},
		"markers":      {"", "alpha beta STOP gamma delta"},
		"json":         {"", `{"ok": true, "n": 3}`},
		"Paris":        {"", `{"city": "Paris"}`},
		"empty":        {"", ""},
		"forever":      {"", strings.Repeat("la ", 2000)},
		"no tags":      {noTags, "Plain text without a thought."},
	}
)

type tinyAnswer struct{ think, answer string }

func (m tinyModel) Generate(ctx context.Context, req *Request) (iter.Seq2[Token, error], error) {
	size := m.size
	if size == 0 {
		size = 4
	}
	raw := m.raw(req)
	return func(yield func(Token, error) bool) {
		n := 0
		for tok := range rawTokens(raw, size) {
			if ctx.Err() != nil {
				return
			}
			if m.after > 0 && n == m.after {
				if m.abort {
					tok.Finish = FinishAbort
				} else {
					yield(Token{}, m.fault)
					return
				}
			}
			n++
			if !yield(tok, nil) || tok.Finish != "" {
				return
			}
		}
	}, m.refusal
}

func (m tinyModel) raw(req *Request) string {
	last := req.Messages[len(req.Messages)-1]
	first := req.Messages[0]
	a, ok := tiny[last.Text]
	switch {
	case last.Role == "assistant": // a continued answer has no tags
		return " 6 7 7 0 11 11 12 14 15 16 16 17 19 2."
	case strings.HasPrefix(last.Text, "dddd"):
		return strings.Repeat(" n", 40)
	case last.Role == "tool":
		a = tinyAnswer{answer: "It is sunny there."}
	case last.Text == "open think":
		return ThinkStart + "\nI call a tool inside the thought.\n" + toolCall("get_weather", `{"city": "Bern"}`)
	case !ok || last.Role == "system" || len(first.Text) > 500 && first.Role == "system":
		a = unknown
	}
	if !req.Thinking || a.think == noTags {
		return a.answer
	}
	think, gap := a.think, "\n\n"
	if think == "" {
		think = "Easy."
	}
	if req.Choice.forced() { // a forced call begins at once
		a.answer, gap = toolCall("get_weather", a.answer), ""
	}
	if req.Schema != nil {
		gap = ""
	}
	return ThinkStart + "\n" + think + "\n" + ThinkEnd + gap + a.answer
}

// rawTokens cuts raw text into tokens; tags are whole.
func rawTokens(raw string, size int) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		for raw != "" {
			at, tag := len(raw), ""
			for _, candidate := range []string{ThinkStart, ThinkEnd, CallStart, CallEnd} {
				if i := strings.Index(raw, candidate); i >= 0 && i < at {
					at, tag = i, candidate
				}
			}
			for _, text := range splitTokens(raw[:at], size) {
				if !yield(Token{Text: text}) {
					return
				}
			}
			if tag != "" && !yield(Token{Text: tag, Special: true}) {
				return
			}
			raw = raw[at+len(tag):]
		}
		yield(Token{Finish: FinishStop})
	}
}
