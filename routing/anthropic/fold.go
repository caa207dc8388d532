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
	next := x.nextUsers()
	calling := false // the last message that stays is a call without its result
	for i := range x.messages {
		msg := &x.messages[i]
		switch {
		case msg.role != "system":
			x.dropMembers(msg, "output_config")
			if !msg.removed {
				calling = msg.role == "assistant" && msg.has("tool_use")
			}
		case !x.shown(msg, next[i] >= 0):
			msg.removed = true
		case calling && next[i] >= 0:
			msg.removed = true
			behind[next[i]] = x.appendText(behind[next[i]], msg)
		default:
			x.makeUser(msg)
		}
	}
	for i := range x.messages {
		if text := behind[i]; text != nil {
			x.appendBlocks(&x.messages[i], text)
		}
	}
}

// nextUsers returns, for each message, the index of the first user message
// behind it; -1 if there is none.
func (x *fitting) nextUsers() []int {
	next := make([]int, len(x.messages))
	user := -1
	for i := len(x.messages) - 1; i >= 0; i-- {
		next[i] = user
		if x.messages[i].role == "user" {
			user = i
		}
	}
	return next
}

// shown reports whether anything of a system message is left for the model to
// read: text that no later user message cleared.
func (x *fitting) shown(msg *message, laterUser bool) bool {
	for _, m := range msg.members {
		if m.Kind != jsonbody.String || !m.Named(x.body, "clear_at") {
			continue
		}
		until, _ := jsonbody.Text(x.body, m.Value)
		if until == "next_user_message" && laterUser {
			return false
		}
	}
	if msg.content.Kind == jsonbody.String {
		return msg.content.Value.End-msg.content.Value.Start > len(`""`)
	}
	return msg.has("text")
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
