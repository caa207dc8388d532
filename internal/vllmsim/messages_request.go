package vllmsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const minThinkingBudget = 1024

// The blocks that a message of the native route may hold.
var blockTypes = []string{
	"text", "image", "tool_use", "tool_result", "tool_reference", "thinking", "redacted_thinking", "tool_addition", "tool_removal",
}

// billingHeader opens a system text of Claude Code that is no part of the
// prompt; the real server drops it too.
const billingHeader = "x-anthropic-billing-header"

type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Thinking  string          `json:"thinking"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	Content   json.RawMessage `json:"content"`
	IsError   bool            `json:"is_error"`
	ToolUseID string          `json:"tool_use_id"`
}

// parseMessages reads a request of the native route. counting says that it is
// for count_tokens, which needs no max_tokens.
func (s *Server) parseMessages(f fields, counting bool) (*Request, *apiError) {
	req := &Request{Parallel: true, Thinking: true, N: 1}
	var absent []issue
	for _, name := range []string{"max_tokens", "messages"} {
		if !f.has(name) && (!counting || name != "max_tokens") {
			absent = append(absent, missing("body."+name, f.describe()))
		}
	}
	if len(absent) > 0 {
		return nil, invalid(absent...)
	}
	for _, read := range []func(fields, *Request) *apiError{
		readMessagesStops, readMessagesTools, readBudget, readNativeStream, s.readNative, s.readModel, s.checkToolParser, readOutputConfig,
	} {
		if e := read(f, req); e != nil {
			return nil, e
		}
	}
	if len(req.Messages) == 0 {
		return nil, badRequest("", "Cannot apply chat template to an empty conversation. Provide at least one message.")
	}
	return req, nil
}

func readNativeStream(f fields, req *Request) *apiError {
	req.stream.usage = true
	return f.into("stream", "boolean", &req.stream.on)
}

func readMessagesStops(f fields, req *Request) *apiError {
	if e := f.into("stop_sequences", "list", &req.Stop); e != nil {
		return e
	}
	if n := len(req.Stop); n > maxStops {
		return invalid(tooLong("body.stop_sequences", describe(f["stop_sequences"]), maxStops, n))
	}
	return nil
}

func readMessagesTools(f fields, req *Request) *apiError {
	var raw []json.RawMessage
	if e := f.into("tools", "list", &raw); e != nil {
		return e
	}
	var absent []issue
	for i, r := range raw {
		var tool fields
		if json.Unmarshal(r, &tool) != nil {
			return invalid(wrongType(fmt.Sprintf("body.tools.%d", i), "dictionary", r))
		}
		for _, name := range []string{"name", "input_schema"} {
			if !tool.has(name) {
				absent = append(absent, missing(fmt.Sprintf("body.tools.%d.%s", i, name), tool.describe()))
			}
		}
		t := Tool{Parameters: tool["input_schema"]}
		if json.Unmarshal(tool["name"], &t.Name) != nil && tool.has("name") {
			return invalid(wrongType(fmt.Sprintf("body.tools.%d.name", i), "string", tool["name"]))
		}
		if tool.has("description") && json.Unmarshal(tool["description"], &t.Description) != nil {
			return invalid(wrongType(fmt.Sprintf("body.tools.%d.description", i), "string", tool["description"]))
		}
		req.Tools = append(req.Tools, t)
	}
	if len(absent) > 0 {
		return invalid(absent...)
	}
	return readMessagesChoice(f, req)
}

func readMessagesChoice(f fields, req *Request) *apiError {
	if len(req.Tools) > 0 {
		req.Choice.Mode = ChoiceAuto
	}
	var choice struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Disabled bool   `json:"disable_parallel_tool_use"`
	}
	if e := f.into("tool_choice", "dictionary", &choice); e != nil {
		return e
	}
	req.Parallel = !choice.Disabled
	if choice.Type != "" && choice.Type != "none" && len(req.Tools) == 0 {
		return toolsMissing()
	}
	switch choice.Type {
	case "none":
		req.Choice.Mode = ChoiceNone
	case "any":
		req.Choice.Mode = ChoiceRequired
	case "tool":
		req.Choice = Choice{Mode: ChoiceNamed, Name: choice.Name}
		if !slices.ContainsFunc(req.Tools, func(t Tool) bool { return t.Name == choice.Name }) {
			return withParam("tool_choice", "The tool specified in `tool_choice` does not match any of the specified `tools`")
		}
	}
	return nil
}

func readBudget(f fields, req *Request) *apiError {
	var thinking struct {
		Type   string `json:"type"`
		Budget *int   `json:"budget_tokens"`
	}
	if e := f.into("thinking", "dictionary", &thinking); e != nil {
		return e
	}
	maxTokens := 0
	if e := f.into("max_tokens", "integer", &maxTokens); e != nil {
		return e
	}
	if f.has("max_tokens") && maxTokens < 1 {
		return invalid(valueError("body.max_tokens", "max_tokens must be positive", describe(f["max_tokens"])))
	}
	req.Thinking = thinking.Type != "disabled"
	if thinking.Type != "enabled" || thinking.Budget == nil {
		return nil
	}
	if *thinking.Budget < minThinkingBudget {
		return invalid(valueError("body", "thinking.budget_tokens must be at least 1024", f.describe()))
	}
	if *thinking.Budget >= maxTokens {
		return invalid(valueError("body", "thinking.budget_tokens must be less than max_tokens", f.describe()))
	}
	return nil
}

func readOutputConfig(f fields, req *Request) *apiError {
	var config struct {
		Format struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	}
	if e := f.into("output_config", "dictionary", &config); e != nil {
		return e
	}
	if config.Format.Type == "json_schema" {
		req.Schema = config.Format.Schema
	}
	return checkSchema(req.Schema)
}

// readNative reads the system text and the messages.
func (s *Server) readNative(f fields, req *Request) *apiError {
	if f.has("system") {
		blocks, e := readBlocks("body.system", f["system"])
		if e != nil {
			return e
		}
		var texts []string
		for _, b := range blocks {
			if !strings.HasPrefix(b.Text, billingHeader) {
				texts = append(texts, b.Text)
			}
		}
		req.Messages = append(req.Messages, Message{Role: "system", Text: strings.Join(texts, "")})
	}
	var messages []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	}
	if e := f.into("messages", "list", &messages); e != nil {
		return e
	}
	for i, m := range messages {
		blocks, e := readBlocks(fmt.Sprintf("body.messages.%d.content", i), m.Content)
		if e != nil {
			return e
		}
		if slices.ContainsFunc(blocks, func(b block) bool { return b.Type == "image" }) {
			return badRequest("", "%s is not a multimodal model", s.opts.Models[0])
		}
		req.Messages = append(req.Messages, flatten(m.Role, blocks)...)
	}
	return nil
}

// readBlocks reads content that is a text or a list of blocks.
func readBlocks(loc string, raw json.RawMessage) ([]block, *apiError) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []block{{Type: "text", Text: text}}, nil
	}
	var blocks []block
	if len(raw) == 0 || json.Unmarshal(raw, &blocks) != nil {
		return nil, invalid(wrongType(loc, "string", raw))
	}
	for i, b := range blocks {
		if !slices.Contains(blockTypes, b.Type) {
			quoted := "'" + strings.Join(blockTypes[:len(blockTypes)-1], "', '") + "' or '" + blockTypes[len(blockTypes)-1] + "'"
			return nil, invalid(wrongType(loc, "string", raw), issue{
				kind: "literal_error", loc: fmt.Sprintf("%s.%d.type", loc, i), msg: "Input should be " + quoted, input: b.Type,
				ctx: "{'expected': " + pyString(quoted) + "}",
			})
		}
	}
	return blocks, nil
}

// flatten turns one native message into those of the template: results of tools
// come first, each a message of its own.
func flatten(role string, blocks []block) []Message {
	var results []Message
	var texts []string
	rest := Message{Role: role}
	for _, b := range blocks {
		switch b.Type {
		case "text":
			texts = append(texts, b.Text)
		case "thinking":
			rest.Reasoning += b.Thinking
		case "tool_use":
			rest.Calls = append(rest.Calls, Call{Name: b.Name, Arguments: string(b.Input)})
		case "tool_result":
			results = append(results, Message{Role: "tool", Text: resultText(b.Content), Failed: b.IsError})
		}
	}
	rest.Text = strings.Join(texts, "\n")
	if rest.Text == "" && rest.Calls == nil && rest.Reasoning == "" && results != nil {
		return results
	}
	return append(results, rest)
}

// resultText is the text of a tool_result, whose content may be absent.
func resultText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var blocks []block
	if json.Unmarshal(raw, &blocks) != nil {
		return ""
	}
	var texts []string
	for _, b := range blocks {
		texts = append(texts, b.Text)
	}
	return strings.Join(texts, "\n")
}
