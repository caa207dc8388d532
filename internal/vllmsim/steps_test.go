package vllmsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// told is a stream without the accidents of timing: what was said, in order,
// with neighbours of one kind joined. Where the server is behind, the real one
// merges tokens into fewer events.
func told(t *testing.T, events []string, native bool) []string {
	t.Helper()
	var lines []tellLine
	for _, e := range events {
		_, data, _ := strings.Cut(strings.TrimSpace(e), "data: ")
		if native {
			lines = append(lines, tellMessage(t, data)...)
		} else {
			lines = append(lines, tellChat(t, data)...)
		}
	}
	// Answers that run side by side are told one after the other.
	slices.SortStableFunc(lines, func(a, b tellLine) int { return a.choice - b.choice })
	var out []string
	last := tellLine{}
	for _, l := range lines {
		if l.text != "" && l.kind == last.kind && l.choice == last.choice {
			out[len(out)-1] += l.text
			continue
		}
		out = append(out, l.kind+l.text)
		last = l
	}
	return out
}

type tellLine struct {
	choice int
	kind   string
	text   string // joined with that of the line before
}

// lastChoice sorts what belongs to no choice to the end.
const lastChoice = 1 << 10

func tellChat(t *testing.T, data string) (lines []tellLine) {
	t.Helper()
	if data == "[DONE]" {
		return []tellLine{{choice: lastChoice, kind: "done"}}
	}
	if strings.HasPrefix(data, `{"error": `) {
		return []tellLine{{choice: lastChoice, kind: data}}
	}
	var c struct {
		Choices []struct {
			Index int
			Delta struct {
				Role, Content, Reasoning string
				ToolCalls                []struct {
					ID       string
					Index    int
					Function struct{ Name, Arguments string }
				} `json:"tool_calls"`
			}
			FinishReason *string `json:"finish_reason"`
			StopReason   *string `json:"stop_reason"`
		}
		Usage any
	}
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	if len(c.Choices) == 0 {
		return []tellLine{{choice: lastChoice, kind: "usage"}}
	}
	ch := c.Choices[0]
	add := func(kind, text string) { lines = append(lines, tellLine{ch.Index, kind, text}) }
	if ch.Delta.Role != "" {
		add("role "+ch.Delta.Role, "")
	}
	if ch.Delta.Reasoning != "" {
		add("reasoning ", ch.Delta.Reasoning)
	}
	if ch.Delta.Content != "" {
		add("content ", ch.Delta.Content)
	}
	for _, call := range ch.Delta.ToolCalls {
		if call.ID != "" {
			add(fmt.Sprintf("call %d %s", call.Index, call.Function.Name), "")
		}
		if call.Function.Arguments != "" {
			add(fmt.Sprintf("arguments %d ", call.Index), call.Function.Arguments)
		}
	}
	if ch.FinishReason != nil {
		stop := ""
		if ch.StopReason != nil {
			stop = *ch.StopReason
		}
		add("finish "+*ch.FinishReason+" "+stop, "")
	}
	return lines
}

func tellMessage(t *testing.T, data string) []tellLine {
	t.Helper()
	var e struct {
		Type  string
		Index int
		Block struct{ Type, Name string } `json:"content_block"`
		Delta struct {
			Type, Text, Thinking, Signature string
			PartialJSON                     string  `json:"partial_json"`
			StopReason                      *string `json:"stop_reason"`
			StopSequence                    *string `json:"stop_sequence"`
		}
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	line := tellLine{kind: e.Type}
	switch e.Type {
	case "content_block_start":
		line.kind += fmt.Sprintf(" %d %s %s", e.Index, e.Block.Type, e.Block.Name)
	case "content_block_delta":
		line.kind += fmt.Sprintf(" %d %s ", e.Index, e.Delta.Type)
		line.text = e.Delta.Text + e.Delta.Thinking + e.Delta.PartialJSON
	case "content_block_stop":
		line.kind += fmt.Sprintf(" %d", e.Index)
	case "message_delta":
		line.kind += fmt.Sprintf(" %v %v", deref(e.Delta.StopReason), deref(e.Delta.StopSequence))
	case "error":
		line.kind = data
	}
	return []tellLine{line}
}

func deref(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}
