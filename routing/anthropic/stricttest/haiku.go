// Package stricttest refuses Messages requests as the real API does, for tests:
// [Haiku45] stands for Claude Haiku 4.5 and knows what that model does not take.
//
// It is stricter than the API where nobody has seen what the API does: what it
// accepts is safe, what it refuses may only be unusual.
package stricttest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// top are the top-level members that Haiku 4.5 takes.
var top = []string{
	"model", "messages", "system", "tools", "tool_choice", "metadata", "max_tokens", "thinking",
	"context_management", "safeguards", "output_config", "stream", "stop_sequences",
	"temperature", "top_p", "top_k", "service_tier", "cache_control", "container", "mcp_servers",
}

// maxOutput is the most tokens that Haiku 4.5 writes.
const maxOutput = 64000

type object = map[string]any

// Haiku45 returns what Claude Haiku 4.5 would answer 400 for; nil if it takes
// the body.
func Haiku45(raw []byte) error {
	var body object
	if err := json.Unmarshal(raw, &body); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	for name := range body {
		if !slices.Contains(top, name) {
			return fmt.Errorf("%s: Extra inputs are not permitted", name)
		}
	}
	if model, _ := body["model"].(string); !strings.HasPrefix(model, "claude-haiku-4-5") {
		return fmt.Errorf("model: %q", model)
	}
	most, _ := body["max_tokens"].(float64)
	if most < 1 || most > maxOutput {
		return fmt.Errorf("max_tokens: %v > %d, which is the maximum allowed number of output tokens", most, maxOutput)
	}
	thinks, err := thinking(body, most)
	if err != nil {
		return err
	}
	for _, check := range []func(object, bool) error{output, context, sampling, tools, messages} {
		if err := check(body, thinks); err != nil {
			return err
		}
	}
	return nil
}

func thinking(body object, most float64) (bool, error) {
	t, ok := body["thinking"].(object)
	if !ok {
		return false, nil
	}
	switch t["type"] {
	case "disabled":
		return false, nil
	case "enabled":
	default:
		return false, fmt.Errorf("thinking.type: %v is not supported for this model", t["type"])
	}
	budget, _ := t["budget_tokens"].(float64)
	if budget < 1024 || budget >= most {
		return false, fmt.Errorf("thinking.budget_tokens: %v must be at least 1024 and less than max_tokens %v", budget, most)
	}
	if choice, ok := body["tool_choice"].(object); ok && (choice["type"] == "any" || choice["type"] == "tool") {
		return false, fmt.Errorf("thinking may not be enabled when tool_choice forces tool use")
	}
	return true, nil
}

func output(body object, _ bool) error {
	config, ok := body["output_config"].(object)
	for name := range config {
		if name != "format" {
			return fmt.Errorf("output_config.%s is not supported for this model", name)
		}
	}
	if ok && len(config) == 0 {
		return fmt.Errorf("output_config is empty")
	}
	return nil
}

func context(body object, thinks bool) error {
	management, ok := body["context_management"].(object)
	if !ok {
		return nil
	}
	edits, _ := management["edits"].([]any)
	for _, e := range edits {
		switch e.(object)["type"] {
		case "clear_tool_uses_20250919":
		case "clear_thinking_20251015":
			if !thinks {
				return fmt.Errorf("context_management: clear_thinking requires thinking to be enabled")
			}
		default:
			return fmt.Errorf("context_management.edits: %v", e)
		}
	}
	return nil
}

func sampling(body object, thinks bool) error {
	_, t := body["temperature"]
	_, p := body["top_p"]
	_, k := body["top_k"]
	switch {
	case t && p:
		return fmt.Errorf("temperature and top_p cannot both be specified for this model")
	case thinks && (t && body["temperature"] != 1.0 || p || k):
		return fmt.Errorf("temperature may only be set to 1 when thinking is enabled")
	}
	return nil
}

func tools(body object, _ bool) error {
	list, ok := body["tools"].([]any)
	if ok && len(list) == 0 && body["tool_choice"] != nil {
		return fmt.Errorf("tool_choice without tools")
	}
	for i, t := range list {
		if _, ok := t.(object)["defer_loading"]; ok {
			return fmt.Errorf("tools.%d.custom.defer_loading: Extra inputs are not permitted", i)
		}
	}
	return nil
}

func messages(body object, thinks bool) error {
	list, _ := body["messages"].([]any)
	if len(list) == 0 {
		return fmt.Errorf("messages: at least one message is required")
	}
	open := map[string]bool{} // tool calls that wait for their result
	turnStarts := false
	for i, entry := range list {
		m := entry.(object)
		for name := range m {
			if name != "role" && name != "content" {
				return fmt.Errorf("messages.%d.%s: Extra inputs are not permitted", i, name)
			}
		}
		if m["role"] != "user" && m["role"] != "assistant" {
			return fmt.Errorf("messages.%d.role: Input should be 'user' or 'assistant'", i)
		}
		if i == 0 && m["role"] != "user" {
			return fmt.Errorf("messages: first message must use the user role")
		}
		blocks, err := blocksOf(i, m)
		if err != nil {
			return err
		}
		if m["role"] == "user" {
			if err := user(i, blocks, open); err != nil {
				return err
			}
			turnStarts = turnStarts || !slices.ContainsFunc(blocks, isResult)
			continue
		}
		if err := assistant(i, blocks, open, thinks && turnStarts && openAtEnd(list[i:])); err != nil {
			return err
		}
		turnStarts = false
	}
	return nil
}

func isResult(b object) bool { return b["type"] == "tool_result" }

// openAtEnd reports whether the turn that begins here is still under way at the
// end: nothing but calls and results follows.
func openAtEnd(rest []any) bool {
	for _, entry := range rest[1:] {
		m := entry.(object)
		blocks, err := blocksOf(0, m)
		if err != nil || (m["role"] == "user" && !slices.ContainsFunc(blocks, isResult)) {
			return false
		}
	}
	return len(rest) > 1
}

func blocksOf(i int, m object) ([]object, error) {
	switch content := m["content"].(type) {
	case string:
		if content == "" {
			return nil, fmt.Errorf("messages.%d: all messages must have non-empty content", i)
		}
		return []object{{"type": "text", "text": content}}, nil
	case []any:
		if len(content) == 0 {
			return nil, fmt.Errorf("messages.%d: all messages must have non-empty content", i)
		}
		var blocks []object
		for _, b := range content {
			blocks = append(blocks, b.(object))
		}
		return blocks, nil
	}
	return nil, fmt.Errorf("messages.%d.content: Field required", i)
}

func user(i int, blocks []object, open map[string]bool) error {
	texts := false
	for _, b := range blocks {
		switch b["type"] {
		case "tool_result":
			id, _ := b["tool_use_id"].(string)
			if !open[id] || texts {
				return fmt.Errorf("messages.%d: tool_result %s has no call right before it", i, id)
			}
			delete(open, id)
			inner, _ := b["content"].([]any)
			for _, c := range inner {
				if kind := c.(object)["type"]; kind != "text" && kind != "image" {
					return fmt.Errorf("messages.%d: %v in a tool_result is not supported", i, kind)
				}
			}
		case "text", "image", "document":
			texts = true
		default:
			return fmt.Errorf("messages.%d: %v is not supported", i, b["type"])
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after", i)
	}
	return nil
}

func assistant(i int, blocks []object, open map[string]bool, mustThink bool) error {
	for j, b := range blocks {
		switch b["type"] {
		case "thinking":
			signature, _ := b["signature"].(string)
			raw, err := base64.StdEncoding.DecodeString(signature)
			if err != nil || !strings.Contains(string(raw), "claude-haiku-4-5") {
				return fmt.Errorf("messages.%d.content.%d: Invalid `signature` in `thinking` block", i, j)
			}
		case "tool_use":
			id, _ := b["id"].(string)
			open[id] = true
		case "text":
		default:
			return fmt.Errorf("messages.%d.content.%d: %v is not supported", i, j, b["type"])
		}
	}
	if mustThink && blocks[0]["type"] != "thinking" {
		return fmt.Errorf("messages.%d.content.0.type: Expected `thinking`, but found `%v`", i, blocks[0]["type"])
	}
	return nil
}
