package vllmsim

import "encoding/json"

// messageEvents writes the stream of the native route: one block after the
// other, a thought closed by a signature.
type messageEvents struct {
	server *Server
	req    *Request
	out    *eventWriter
	tally  tally
	open   string // kind of the open block, "" for none
	index  int    // of the open block, or of the next
	called bool
	end    step
}

type messageStart struct {
	Type    string `json:"type"`
	Message struct {
		ID           string         `json:"id"`
		Type         string         `json:"type"`
		Role         string         `json:"role"`
		Content      []messageBlock `json:"content"`
		Model        string         `json:"model"`
		StopReason   *string        `json:"stop_reason"`
		StopSequence *string        `json:"stop_sequence"`
		Usage        messageUsage   `json:"usage"`
	} `json:"message"`
}

type blockStart struct {
	Type  string       `json:"type"`
	Block messageBlock `json:"content_block"`
	Index int          `json:"index"`
}

type blockDelta struct {
	Type  string    `json:"type"`
	Delta deltaBody `json:"delta"`
	Index int       `json:"index"`
}

type deltaBody struct {
	Type        string `json:"type"`
	Text        string `json:"text,omitempty"`
	Thinking    string `json:"thinking,omitempty"`
	Signature   string `json:"signature,omitempty"`
	PartialJSON string `json:"partial_json,omitempty"`
}

type messageDelta struct {
	Type  string `json:"type"`
	Delta struct {
		StopReason   *string         `json:"stop_reason"`
		StopSequence json.RawMessage `json:"stop_sequence"`
	} `json:"delta"`
	Usage messageUsage `json:"usage"`
}

func (m *messageEvents) first(step) {
	start := messageStart{Type: "message_start"}
	start.Message.ID, start.Message.Type, start.Message.Role = m.req.ID, "message", "assistant"
	start.Message.Content, start.Message.Model = []messageBlock{}, m.req.Model
	start.Message.Usage.Input = len(m.req.Prompt) // the cached ones are not taken off yet
	m.out.send("message_start", encode(start))
}

func (m *messageEvents) token(st step) {
	m.tally.add(st)
	m.end = st
	if t := st.delta.reasoning; t != "" {
		m.begin("thinking", messageBlock{Type: "thinking", Thinking: new(string)})
		m.delta(deltaBody{Type: "thinking_delta", Thinking: t})
	}
	if t := st.delta.content; t != "" {
		m.begin("text", messageBlock{Type: "text", Text: new(string)})
		m.delta(deltaBody{Type: "text_delta", Text: t})
	}
	for _, c := range st.delta.calls {
		if c.id != "" {
			m.close()
			m.called = true
			m.begin("tool_use", messageBlock{Type: "tool_use", ID: c.id, Name: c.name, Input: json.RawMessage("{}")})
		}
		if c.arguments != "" {
			m.delta(deltaBody{Type: "input_json_delta", PartialJSON: c.arguments})
		}
	}
}

// begin opens a block unless one of this kind is open.
func (m *messageEvents) begin(kind string, b messageBlock) {
	if m.open == kind {
		return
	}
	m.close()
	m.open = kind
	m.out.send("content_block_start", encode(blockStart{Type: "content_block_start", Block: b, Index: m.index}))
}

func (m *messageEvents) delta(d deltaBody) {
	m.out.send("content_block_delta", encode(blockDelta{Type: "content_block_delta", Delta: d, Index: m.index}))
}

func (m *messageEvents) close() {
	if m.open == "" {
		return
	}
	if m.open == "thinking" {
		m.delta(deltaBody{Type: "signature_delta", Signature: newSignature()})
	}
	m.out.send("content_block_stop", encode(struct {
		Type  string `json:"type"`
		Index int    `json:"index"`
	}{"content_block_stop", m.index}))
	m.open = ""
	m.index++
}

func (m *messageEvents) last() {
	m.close()
	d := messageDelta{Type: "message_delta", Usage: m.tally.messageUsage(m.server, m.req)}
	d.Delta.StopReason = stopReason(m.end.finish, m.end.matched, m.called)
	d.Delta.StopSequence = nullable(m.end.matched)
	m.out.send("message_delta", encode(d))
	m.out.send("message_stop", []byte(`{"type":"message_stop"}`))
}

// deathTrace is what a client reads when the engine dies: the route does not
// understand the frame of the chat route below it.
const deathTrace = "2 validation errors for ChatCompletionStreamResponse\nmodel\n  Field required [type=missing, input_value={'error': {'message': " +
	"'En...am': None, 'code': 500}}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.14/v/missing\n" +
	"choices\n  Field required [type=missing, input_value={'error': {'message': 'En...am': None, 'code': 500}}, input_type=dict]\n" +
	"    For further information visit https://errors.pydantic.dev/2.14/v/missing"

// fault closes no block and sends no message_stop.
func (m *messageEvents) fault(*apiError) {
	m.out.send("error", encode(newAnthropicError("internal_error", deathTrace)))
}
