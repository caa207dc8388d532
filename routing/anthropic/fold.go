package anthropic

import (
	"slices"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// foldSystemTurns turns `role: system` messages into what older models take. At
// its place such a message becomes a user message; between a tool call and its
// result, where nothing may stand, its text goes to the end of the result's
// message. It is never hoisted into the system prompt: that would break the
// prompt cache at every turn.
func (x *fitting) foldSystemTurns() {
	if x.target.Takes.SystemTurns {
		return
	}
	behind := map[int][]byte{} // text blocks to append to a user message
	for i := range x.messages {
		msg := &x.messages[i]
		switch {
		case msg.role != "system":
			x.dropMembers(msg, "output_config")
			continue
		case !x.shown(i):
			msg.removed = true
			continue
		}
		next := x.resultBehind(i)
		if next < 0 {
			x.makeUser(msg)
			continue
		}
		msg.removed = true
		behind[next] = x.appendText(behind[next], msg)
	}
	for i := range x.messages {
		if text := behind[i]; text != nil {
			x.appendBlocks(&x.messages[i], text)
		}
	}
}

// shown reports whether anything of a system message is left for the model to
// read: text that was not cleared by a later user message.
func (x *fitting) shown(i int) bool {
	msg := &x.messages[i]
	for _, m := range msg.members {
		if m.Kind != jsonbody.String || !m.Named(x.body, "clear_at") {
			continue
		}
		until, _ := jsonbody.Text(x.body, m.Value)
		later := slices.ContainsFunc(x.messages[i+1:], func(m message) bool { return m.role == "user" })
		if until == "next_user_message" && later {
			return false
		}
	}
	if msg.content.Kind == jsonbody.String {
		return msg.content.Value.End-msg.content.Value.Start > len(`""`)
	}
	return msg.has("text")
}

// resultBehind returns the index of the user message whose tool results must
// follow the assistant message right before i; -1 if i may stay.
func (x *fitting) resultBehind(i int) int {
	before := i - 1
	for before >= 0 && (x.messages[before].removed || x.messages[before].role == "system") {
		before--
	}
	if before < 0 || x.messages[before].role != "assistant" || !x.messages[before].has("tool_use") {
		return -1
	}
	for j := i + 1; j < len(x.messages); j++ {
		if x.messages[j].role == "user" {
			return j
		}
	}
	return -1
}

// makeUser changes the role in place and takes out what user messages lack.
func (x *fitting) makeUser(msg *message) {
	for _, m := range msg.members {
		if m.Named(x.body, "role") {
			x.replace(m.Value, `"user"`)
		}
	}
	x.dropMembers(msg, "output_config", "clear_at")
	var gone []int
	for j, b := range msg.blocks {
		if b.kind != "text" {
			gone = append(gone, j)
		}
	}
	x.edits = jsonbody.RemoveElements(x.edits, msg.spans(), gone...)
}

// dropMembers takes members of a message out.
func (x *fitting) dropMembers(msg *message, names ...string) {
	if msg.removed {
		return
	}
	var gone []int
	for i, m := range msg.members {
		if slices.ContainsFunc(names, func(name string) bool { return m.Named(x.body, name) }) {
			gone = append(gone, i)
		}
	}
	x.edits = jsonbody.RemoveMembers(x.edits, msg.members, gone...)
}

// appendText appends the text blocks of a message, each behind a comma.
func (x *fitting) appendText(dst []byte, msg *message) []byte {
	v := msg.content.Value
	if msg.content.Kind == jsonbody.String {
		dst = append(dst, `,{"type":"text","text":`...)
		return append(append(dst, x.body[v.Start:v.End]...), '}')
	}
	for _, b := range msg.blocks {
		if b.kind == "text" {
			dst = append(append(dst, ','), x.body[b.span.Start:b.span.End]...)
		}
	}
	return dst
}

// appendBlocks puts blocks behind those of a message, whose content becomes an
// array if it was a string.
func (x *fitting) appendBlocks(msg *message, blocks []byte) {
	v := msg.content.Value
	insert := func(at int, text []byte) {
		x.edits = append(x.edits, jsonbody.Edit{Span: jsonbody.Span{Start: at, End: at}, Text: text})
	}
	switch {
	case msg.content.Kind == jsonbody.String:
		insert(v.Start, []byte(`[{"type":"text","text":`))
		insert(v.End, append(append([]byte{'}'}, blocks...), ']'))
	case len(msg.blocks) == 0:
		insert(v.End-1, blocks[1:])
	default:
		insert(v.End-1, blocks)
	}
}
