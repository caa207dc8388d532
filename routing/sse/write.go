package sse

import (
	"bytes"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// AppendEvent appends one frame. An empty name leaves the event field out, as
// chat completions do; line ends in data start further data fields.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	for {
		line, rest, more := bytes.Cut(data, []byte{'\n'})
		dst = append(dst, "data: "...)
		dst = append(dst, line...)
		dst = append(dst, '\n')
		if !more {
			return append(dst, '\n')
		}
		data = rest
	}
}

// AppendPing appends what keeps an idle stream of the dialect alive: the ping
// event of the Messages API, a comment for chat completions. An Anthropic
// client expects message_start before any event; until then use
// [AppendComment].
func AppendPing(dst []byte, d dialect.Dialect) []byte {
	if d == dialect.Anthropic {
		return append(dst, "event: ping\ndata: {\"type\": \"ping\"}\n\n"...)
	}
	return AppendComment(dst)
}

// AppendComment appends a comment: bytes that every parser skips.
func AppendComment(dst []byte) []byte {
	return append(dst, ": ping\n\n"...)
}
