// Package openai knows what the chat completions API of OpenAI and of servers
// like vLLM wants to be asked, and what their errors say.
//
// The package knows no tiers, routes or HTTP.
package openai

import (
	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

const includeUsage = `"include_usage":true`

// AskUsage appends to dst the edits that make a stream end with its usage:
// without them nobody knows what the answer cost. added tells that the client
// did not ask for it, so that the extra chunk must be hidden. A body that asks
// for no stream stays as it is, for servers refuse stream_options there.
func AskUsage(dst []jsonbody.Edit, body []byte, f *jsonbody.Facts) (edits []jsonbody.Edit, added bool) {
	if !f.Stream {
		return dst, false
	}
	options, ok := f.Lookup(body, "stream_options")
	switch {
	case !ok:
		return append(dst, f.Append("stream_options", []byte("{"+includeUsage+"}"))), true
	case options.Kind == jsonbody.Null:
		return append(dst, f.Replace(options.Value, []byte("{"+includeUsage+"}"))), true
	case options.Kind != jsonbody.Object:
		return dst, false // the server refuses it
	}
	members, named := 0, false
	for m := range jsonbody.Fields(body, options.Value) {
		members++
		if !m.Named(body, "include_usage") {
			continue
		}
		named = true
		if added = m.Kind != jsonbody.True; added {
			dst = append(dst, f.Replace(m.Value, []byte("true")))
		}
	}
	if named {
		return dst, added
	}
	insert := includeUsage
	if members > 0 {
		insert += ","
	}
	at := options.Value.Start + 1
	return append(dst, jsonbody.Edit{Span: jsonbody.Span{Start: at, End: at}, Text: []byte(insert)}), true
}

// SetMember appends the edit that adds a top-level member, or puts a value in
// the place of a null.
func SetMember(dst []jsonbody.Edit, body []byte, f *jsonbody.Facts, name string, raw []byte) []jsonbody.Edit {
	if m, ok := f.Lookup(body, name); ok {
		return append(dst, f.Replace(m.Value, raw))
	}
	return append(dst, f.Append(name, raw))
}
