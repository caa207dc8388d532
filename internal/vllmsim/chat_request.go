package vllmsim

import (
	"encoding/json"
	"slices"
	"strings"
)

// The parts that a chat message may hold, as the real server lists them.
const chatParts = "audio_embeds, audio_url, image_embeds, image_pil, image_url, input_audio, input_image, input_text, " +
	"output_text, prompt_embeds, refusal, text, thinking, tool_reference, video_embeds, video_url"

type chatMessage struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	Reasoning string          `json:"reasoning"`
	ToolCalls []struct {
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// parseChat reads a chat completions request up to what needs the prompt's
// length, in the order in which the real server complains.
func (s *Server) parseChat(f fields) (*Request, *apiError) {
	req := &Request{Parallel: true, Thinking: true, N: 1}
	var messages []chatMessage
	if !f.has("messages") {
		return nil, invalid(missing("body.messages", f.describe()))
	}
	if e := f.into("messages", "list", &messages); e != nil {
		return nil, e
	}
	for _, read := range []func(fields, *Request) *apiError{readChatStops, readChatTools, readStream, s.readModel} {
		if e := read(f, req); e != nil {
			return nil, e
		}
	}
	if len(messages) == 0 {
		return nil, badRequest("", "Cannot apply chat template to an empty conversation. Provide at least one message.")
	}
	for _, m := range messages {
		text, e := s.chatText(m.Content)
		if e != nil {
			return nil, e
		}
		msg := Message{Role: m.Role, Text: text, Reasoning: m.Reasoning}
		for _, c := range m.ToolCalls {
			msg.Calls = append(msg.Calls, Call{Name: c.Function.Name, Arguments: c.Function.Arguments})
		}
		req.Messages = append(req.Messages, msg)
	}
	for _, read := range []func(fields, *Request) *apiError{s.checkToolParser, readThinking, readResponseFormat} {
		if e := read(f, req); e != nil {
			return nil, e
		}
	}
	return req, nil
}

func readChatStops(f fields, req *Request) *apiError {
	if !f.has("stop") {
		return nil
	}
	var one string
	if json.Unmarshal(f["stop"], &one) == nil {
		req.Stop = []string{one}
		return nil
	}
	if e := f.into("stop", "list", &req.Stop); e != nil {
		return e
	}
	if n := len(req.Stop); n > maxStops {
		input := describe(f["stop"])
		return invalid(wrongType("body.stop", "string", f["stop"]), tooLong("body.stop", input, maxStops, n))
	}
	return nil
}

func readChatTools(f fields, req *Request) *apiError {
	var tools []struct {
		Function struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
		} `json:"function"`
	}
	if e := f.into("tools", "list", &tools); e != nil {
		return e
	}
	if f.has("tools") && len(tools) == 0 {
		return withParam("tools", "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.")
	}
	for _, t := range tools {
		req.Tools = append(req.Tools, Tool(t.Function))
	}
	if e := readChoice(f, req); e != nil {
		return e
	}
	return f.into("parallel_tool_calls", "boolean", &req.Parallel)
}

func readChoice(f fields, req *Request) *apiError {
	if len(req.Tools) > 0 {
		req.Choice.Mode = ChoiceAuto
	}
	if !f.has("tool_choice") {
		return nil
	}
	var word string
	if json.Unmarshal(f["tool_choice"], &word) == nil && word == "none" {
		req.Choice.Mode = ChoiceNone
		return nil
	}
	if len(req.Tools) == 0 {
		return toolsMissing()
	}
	switch word {
	case "auto":
		return nil
	case "required":
		req.Choice.Mode = ChoiceRequired
		return nil
	case "":
	default:
		return withParam("tool_choice", "Invalid value for `tool_choice`: "+word+"! Only named tools, \"none\", \"auto\" or \"required\" are supported.")
	}
	var named struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if e := f.into("tool_choice", "dictionary", &named); e != nil {
		return e
	}
	req.Choice = Choice{Mode: ChoiceNamed, Name: named.Function.Name}
	if !slices.ContainsFunc(req.Tools, func(t Tool) bool { return t.Name == req.Choice.Name }) {
		return withParam("tool_choice", "The tool specified in `tool_choice` does not match any of the specified `tools`")
	}
	return nil
}

func toolsMissing() *apiError {
	return withParam("tool_choice", "When using `tool_choice`, `tools` must be set.")
}

// withParam is a refusal that names the parameter at its end.
func withParam(param, message string) *apiError {
	return badRequest(param, "%s (parameter=%s)", message, param)
}

func readStream(f fields, req *Request) *apiError {
	if e := f.into("stream", "boolean", &req.stream.on); e != nil {
		return e
	}
	var options struct {
		IncludeUsage         bool `json:"include_usage"`
		ContinuousUsageStats bool `json:"continuous_usage_stats"`
	}
	if e := f.into("stream_options", "dictionary", &options); e != nil {
		return e
	}
	if f.has("stream_options") && !req.stream.on {
		return withParam("stream_options", "Stream options can only be defined when `stream=True`.")
	}
	req.stream.usage = options.IncludeUsage
	req.stream.continuousUsage = options.IncludeUsage && options.ContinuousUsageStats
	return nil
}

// readModel accepts a request without a model, as the real server does.
func (s *Server) readModel(f fields, req *Request) *apiError {
	req.Model = s.opts.Models[0]
	if e := f.into("model", "string", &req.Model); e != nil {
		return e
	}
	if !s.serves(req.Model) {
		return unknownModel(req.Model, s.opts.Models)
	}
	return nil
}

// chatText joins the text parts of a message.
func (s *Server) chatText(content json.RawMessage) (string, *apiError) {
	if len(content) == 0 || string(content) == "null" {
		return "", nil
	}
	var text string
	if json.Unmarshal(content, &text) == nil {
		return text, nil
	}
	var parts []struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return "", invalid(wrongType("body.messages.content", "string", content))
	}
	var texts []string
	for _, p := range parts {
		switch {
		case p.Type == "text" || p.Type == "input_text" || p.Type == "output_text":
			texts = append(texts, p.Text)
		case p.Type == "refusal":
			texts = append(texts, p.Refusal)
		case p.Type == "thinking" || p.Type == "tool_reference":
		case slices.Contains(strings.Split(chatParts, ", "), p.Type):
			return "", badRequest("", "%s is not a multimodal model", s.opts.Models[0])
		default:
			return "", badValue("type", p.Type, "Unsupported chat content part type: '%s'. Supported types: %s.", p.Type, chatParts)
		}
	}
	return strings.Join(texts, "\n"), nil
}

func (s *Server) checkToolParser(_ fields, req *Request) *apiError {
	if !s.opts.NoToolParser {
		return nil
	}
	switch req.Choice.Mode {
	case ChoiceAuto:
		return badRequest("", `"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set`)
	case ChoiceRequired:
		return badRequest("", `tool_choice="required" requires --tool-call-parser to be set`)
	case ChoiceNone, ChoiceNamed:
	}
	return nil
}

func readThinking(f fields, req *Request) *apiError {
	var effort string
	var kwargs struct {
		EnableThinking *bool `json:"enable_thinking"`
	}
	if e := f.into("reasoning_effort", "string", &effort); e != nil {
		return e
	}
	if e := f.into("chat_template_kwargs", "dictionary", &kwargs); e != nil {
		return e
	}
	req.Thinking = effort != "none" && (kwargs.EnableThinking == nil || *kwargs.EnableThinking)
	return nil
}

func readResponseFormat(f fields, req *Request) *apiError {
	var format struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if e := f.into("response_format", "dictionary", &format); e != nil {
		return e
	}
	switch format.Type {
	case "json_schema":
		req.Schema = format.JSONSchema.Schema
	case "json_object":
		req.Schema = json.RawMessage(`{}`)
	}
	return checkSchema(req.Schema)
}
