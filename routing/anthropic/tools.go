package anthropic

import (
	"slices"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// fitTools makes deferred tools plain for a model that cannot load tools in
// mid-conversation: a tool that was loaded by now is an ordinary one, a tool
// that was not is left out, and the reference that loaded it becomes a text.
func (x *fitting) fitTools() {
	if x.target.Takes.DeferredTools {
		return
	}
	loaded := map[string]bool{}
	for i := range x.messages {
		x.readToolChanges(&x.messages[i], loaded)
	}
	m, _, ok := x.member("tools")
	if !ok || m.Kind != jsonbody.Array {
		return
	}
	var tools []jsonbody.Span
	var gone []int
	for span := range jsonbody.Elements(x.body, m.Value) {
		if len(tools) == maxParts {
			return
		}
		deferred, ok := field(x.body, span, "defer_loading")
		if ok {
			if deferred.Kind == jsonbody.True && !loaded[word(x.body, span, "name")] {
				gone = append(gone, len(tools))
			} else {
				x.dropField(span, "defer_loading")
			}
		}
		tools = append(tools, span)
	}
	if len(gone) == len(tools) && len(tools) > 0 {
		x.drop("tools", "tool_choice")
		return
	}
	x.edits = jsonbody.RemoveElements(x.edits, tools, gone...)
}

// readToolChanges notes which tools a message loads or unloads, and puts texts
// in the place of references in tool results.
func (x *fitting) readToolChanges(msg *message, loaded map[string]bool) {
	for _, b := range msg.blocks {
		switch b.kind {
		case "tool_addition", "tool_removal":
			if tool, ok := field(x.body, b.span, "tool"); ok {
				loaded[word(x.body, tool.Value, "name")] = b.kind == "tool_addition"
			}
		case "tool_result":
			content, ok := field(x.body, b.span, "content")
			if !ok {
				continue
			}
			for span := range jsonbody.Elements(x.body, content.Value) {
				if word(x.body, span, "type") != "tool_reference" {
					continue
				}
				name := word(x.body, span, "tool_name")
				loaded[name] = true
				text := jsonbody.AppendQuote([]byte(`{"type":"text","text":`), "Tool "+name+" is available now.")
				x.replace(span, string(append(text, '}')))
			}
		}
	}
}

// dropField takes a member out of the object at v.
func (x *fitting) dropField(v jsonbody.Span, name string) {
	members := slices.Collect(jsonbody.Fields(x.body, v))
	for i, m := range members {
		if m.Named(x.body, name) {
			x.edits = jsonbody.RemoveMembers(x.edits, members, i)
			return
		}
	}
}
