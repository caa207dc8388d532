package sse

import (
	"os"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

func TestPlainUsageOfRecordings(t *testing.T) {
	for _, tc := range []struct {
		file string
		d    dialect.Dialect
		want Usage
	}{
		{"vllm-10-chat-text", dialect.OpenAI, Usage{Input: 10, Output: 27, Reasoning: 6, Known: true}},
		{"vllm-27-chat-cache-warm", dialect.OpenAI, Usage{Input: 61, CacheRead: 256, Output: 21, Reasoning: 6, Known: true}},
		{"vllm-40-chat-tool-auto", dialect.OpenAI, Usage{Input: 20, CacheWrite: 256, Output: 36, Reasoning: 10, Known: true}},
		{"vllm-80-msg-text", dialect.Anthropic, Usage{Input: 10, Output: 27, Known: true}},
		{"llamacpp-13-chat-tool", dialect.OpenAI, Usage{Input: 276, Output: 36, Known: true}},
		{"llamacpp-32-msg-tool", dialect.Anthropic, Usage{Input: 11, CacheRead: 96, Output: 56, Known: true}},
	} {
		b, err := os.ReadFile("testdata/" + tc.file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		from := strings.LastIndex(string(b), `"usage"`)
		for i := 0; i < from; i++ { // as long as the tail holds the usage, its beginning is free
			if got := PlainUsage(b[i:], tc.d); got != tc.want {
				t.Fatalf("PlainUsage(%s[%d:]) = %+v, want %+v", tc.file, i, got, tc.want)
			}
		}
		if got := PlainUsage(b[from+20:], tc.d); got.Known {
			t.Errorf("PlainUsage(%s, cut behind the usage) = %+v", tc.file, got)
		}
	}
}

func TestPlainUsageIsNotFooled(t *testing.T) {
	const real = `"usage":{"input_tokens":3,"output_tokens":4}`
	want := Usage{Input: 3, Output: 4, Known: true}
	for _, tc := range []struct {
		name, answer string
		cut          int
		want         Usage
	}{
		{"text that quotes a usage", `{"text":"\"usage\":{\"input_tokens\":9}",` + real + `}`, 0, want},
		{"the same, cut inside the text", `{"text":"\"usage\":{\"input_tokens\":9}",` + real + `}`, 10, want},
		{"tool input that has one", `{"content":[{"input":{"usage":{"input_tokens":9}}}],` + real + `}`, 5, want},
		{"tool input behind ours", `{"x":"y",` + real + `,"input":{"usage":{"input_tokens":9}}}`, 4, want},
		{"only tool input, cut", `{"content":[{"input":{"usage":{"input_tokens":9}}}]}`, 3, Usage{}},
		{"text that is the word", `{"text":"usage",` + real + `}`, 4, want},
		{"blanks", "{\"a\":1, \"usage\" : { \"input_tokens\" : 3 , \"output_tokens\":4 } }\n", 2, want},
		{"null", `{"usage":null}`, 0, Usage{}},
		{"negative, fractions, absurd", `{"usage":{"input_tokens":-3,"output_tokens":1.5,"cache_read_input_tokens":99999999999999999}}`, 0, Usage{}},
		{"not JSON", `<html>"usage":</html>`, 0, Usage{}},
		{"nothing", ``, 0, Usage{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := PlainUsage([]byte(tc.answer[tc.cut:]), dialect.Anthropic); got != tc.want {
				t.Errorf("PlainUsage(%s) = %+v, want %+v", tc.answer[tc.cut:], got, tc.want)
			}
		})
	}
}

func TestUsageNeverGoesBelowZero(t *testing.T) {
	got := PlainUsage([]byte(`{"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}}`), dialect.OpenAI)
	if want := (Usage{Input: 0, CacheRead: 9, Output: 1, Known: true}); got != want {
		t.Errorf("PlainUsage = %+v, want %+v", got, want)
	}
}
