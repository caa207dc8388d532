package anthropic

import "github.com/openova-io/llm-gateway/internal/jsonbody"

// message is one entry of the messages array.
type message struct {
	role    string
	members []jsonbody.Member
	content jsonbody.Member
	// blocks are the elements of content; none where it is a string.
	blocks []block
	// gone are the blocks that go, ascending.
	gone []int
	// removed tells that the whole message goes.
	removed bool
}

// block is one content block.
type block struct {
	span jsonbody.Span
	kind string // its member type
}

func (b block) isThinking() bool { return b.kind == "thinking" || b.kind == "redacted_thinking" }

func (m *message) has(kind string) bool {
	for _, b := range m.blocks {
		if b.kind == kind {
			return true
		}
	}
	return false
}

// spans returns where the blocks stand.
func (m *message) spans() []jsonbody.Span {
	spans := make([]jsonbody.Span, len(m.blocks))
	for i, b := range m.blocks {
		spans[i] = b.span
	}
	return spans
}

// maxParts is how many messages and blocks of one body are looked at: the API
// takes 100,000 messages, and memory must not grow with what clients make up.
const maxParts = 100_000

// readMessages finds the messages and their blocks. What has another shape than
// the API's, or too many parts, is left alone: the provider refuses it better.
func (x *fitting) readMessages() {
	m, _, ok := x.member("messages")
	if !ok {
		return
	}
	parts := 0
	for span, kind := range jsonbody.Elements(x.body, m.Value) {
		msg := message{}
		if kind == jsonbody.Object {
			msg = x.readMessage(span, maxParts-parts)
		}
		if parts += 1 + len(msg.members) + len(msg.blocks); parts >= maxParts {
			x.messages, x.array = nil, nil
			return
		}
		x.messages = append(x.messages, msg)
		x.array = append(x.array, span)
	}
}

// readMessage reads one message and stops after that many parts.
func (x *fitting) readMessage(span jsonbody.Span, most int) message {
	var msg message
	for m := range jsonbody.Fields(x.body, span) {
		if len(msg.members) >= most {
			return msg
		}
		msg.members = append(msg.members, m)
		switch {
		case m.Kind == jsonbody.String && m.Named(x.body, "role"):
			msg.role, _ = jsonbody.Text(x.body, m.Value)
		case m.Named(x.body, "content"):
			msg.content = m
		}
	}
	if msg.content.Kind != jsonbody.Array {
		return msg
	}
	for span := range jsonbody.Elements(x.body, msg.content.Value) {
		if len(msg.blocks) >= most {
			return msg
		}
		msg.blocks = append(msg.blocks, block{span: span, kind: word(x.body, span, "type")})
	}
	return msg
}

// removeMessages takes out the messages that nothing is left of. Edits inside
// of them have not been made.
func (x *fitting) removeMessages() {
	var gone []int
	for i := range x.messages {
		if x.messages[i].removed {
			gone = append(gone, i)
		}
	}
	if len(gone) < len(x.messages) {
		x.edits = jsonbody.RemoveElements(x.edits, x.array, gone...)
	}
}
