package vllmsim

import "encoding/json"

type chatChunk struct {
	ID                string          `json:"id"`
	Object            string          `json:"object"`
	Created           int64           `json:"created"`
	Model             string          `json:"model"`
	Choices           []chunkChoice   `json:"choices"`
	Usage             *usage          `json:"usage,omitempty"`
	SystemFingerprint string          `json:"system_fingerprint,omitempty"`
	PromptTokenIDs    json.RawMessage `json:"prompt_token_ids,omitempty"`
	PromptText        json.RawMessage `json:"prompt_text,omitempty"`
}

type chunkChoice struct {
	Index        int             `json:"index"`
	Delta        chunkDelta      `json:"delta"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason json.RawMessage `json:"finish_reason"`
	StopReason   json.RawMessage `json:"stop_reason,omitempty"`
	TokenIDs     json.RawMessage `json:"token_ids,omitempty"`
}

type chunkDelta struct {
	Role      string          `json:"role,omitempty"`
	Content   json.RawMessage `json:"content,omitempty"`
	Reasoning string          `json:"reasoning,omitempty"`
	ToolCalls []chunkCall     `json:"tool_calls,omitempty"`
}

type chunkCall struct {
	ID       string        `json:"id,omitempty"`
	Type     string        `json:"type,omitempty"`
	Index    int           `json:"index"`
	Function chunkFunction `json:"function"`
}

type chunkFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments,omitempty"`
}

// chatEvents writes the stream of chat completions: role, deltas, finish, usage.
type chatEvents struct {
	server  *Server
	req     *Request
	out     *eventWriter
	created int64
	tally   tally
}

func (c *chatEvents) chunk(choices ...chunkChoice) chatChunk {
	if choices == nil {
		choices = []chunkChoice{}
	}
	return chatChunk{ID: c.req.ID, Object: "chat.completion.chunk", Created: c.created, Model: c.req.Model, Choices: choices}
}

func (c *chatEvents) send(chunk chatChunk) { c.out.send("", encode(chunk)) }

// first opens every answer before the first delta of any.
func (c *chatEvents) first(step) {
	for i := range c.req.N {
		chunk := c.chunk(chunkChoice{Index: i, Delta: chunkDelta{Role: "assistant", Content: encode("")}, FinishReason: null})
		chunk.PromptTokenIDs, chunk.PromptText = null, null
		c.withUsage(&chunk)
		c.send(chunk)
	}
}

func (c *chatEvents) token(st step) {
	c.tally.add(st)
	if st.delta.empty() && st.finish == "" {
		return // a tag, or a token that is held back
	}
	choice := chunkChoice{Index: st.index, Delta: chatDelta(st.delta), FinishReason: null, TokenIDs: null}
	if st.finish != "" {
		choice.FinishReason, choice.StopReason = encode(st.finish), nullable(st.matched)
		if c.server.opts.NoReasoningParser && c.req.Choice.Mode == ChoiceNone && st.delta.empty() {
			choice.Delta.Content = encode("") // without any parser
		}
	}
	chunk := c.chunk(choice)
	c.withUsage(&chunk)
	if st.finish != "" && !c.req.stream.usage {
		chunk.SystemFingerprint = c.server.fingerprint
	}
	c.send(chunk)
}

func chatDelta(d delta) chunkDelta {
	out := chunkDelta{Reasoning: d.reasoning}
	if d.content != "" {
		out.Content = encode(d.content)
	}
	for _, call := range d.calls {
		cc := chunkCall{ID: call.id, Index: call.index, Function: chunkFunction{Name: call.name, Arguments: call.arguments}}
		if call.id != "" {
			cc.Type = "function"
		}
		out.Content = null
		out.ToolCalls = append(out.ToolCalls, cc)
	}
	return out
}

// withUsage adds the tokens so far where the client wants them in every chunk.
func (c *chatEvents) withUsage(chunk *chatChunk) {
	if c.req.stream.continuousUsage {
		chunk.Usage = c.tally.usage(c.server, c.req)
	}
}

func (c *chatEvents) last() {
	if c.req.stream.usage {
		chunk := c.chunk()
		chunk.Usage, chunk.SystemFingerprint = c.tally.usage(c.server, c.req), c.server.fingerprint
		if c.server.opts.PromptTokensDetails {
			chunk.Usage.PromptDetails = encode(promptDetails{Cached: c.tally.cached})
		}
		c.send(chunk)
	}
	c.done()
}

func (c *chatEvents) done() { c.out.send("", []byte("[DONE]")) }

// fault is the one frame that the real server writes with blanks.
func (c *chatEvents) fault(e *apiError) {
	message, kind := string(encode(e.message)), string(encode(e.kind))
	c.out.send("", []byte(`{"error": {"message": `+message+`, "type": `+kind+`, "param": null, "code": 500}}`))
	c.done()
}
