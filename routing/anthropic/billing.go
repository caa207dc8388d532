package anthropic

import (
	"bytes"
	"strings"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// BillingPrefix begins the line of the system prompt by which Claude Code tells
// Anthropic whom to bill. It changes with every request, which spoils the prefix
// cache of anybody else, and is nobody else's business.
const BillingPrefix = "x-anthropic-billing-header"

// dropBilling takes the billing line out of the system prompt, be that a string
// or blocks. What would be empty without it goes as a whole, for servers refuse
// empty texts.
func (x *fitting) dropBilling() {
	m, _, ok := x.member("system")
	if !ok || !mayHoldBilling(x.body[m.Value.Start:m.Value.End]) {
		return
	}
	if m.Kind == jsonbody.String {
		if line, whole := x.billingLine(m); whole {
			x.drop("system")
		} else {
			x.cut(line)
		}
		return
	}
	var blocks, lines []jsonbody.Span
	var gone []int
	for span := range jsonbody.Elements(x.body, m.Value) {
		if len(blocks) == maxParts {
			return // the backend refuses it better
		}
		if text, ok := field(x.body, span, "text"); ok {
			line, whole := x.billingLine(text)
			if whole {
				gone = append(gone, len(blocks))
			} else {
				lines = append(lines, line)
			}
		}
		blocks = append(blocks, span)
	}
	if len(gone) == len(blocks) && len(gone) > 0 {
		x.drop("system")
		return
	}
	for _, line := range lines {
		x.cut(line)
	}
	x.edits = jsonbody.RemoveElements(x.edits, blocks, gone...)
}

// mayHoldBilling reports whether it is worth to take a system prompt apart: it is
// long, and most have no such line. Claude Code writes the name plainly; whoever
// writes it in escapes spoils nobody's prefix cache but his own.
func mayHoldBilling(raw []byte) bool { return bytes.Contains(raw, []byte(BillingPrefix)) }

// billingLine returns where the billing line stands that a string begins with,
// its end of line included; an empty span if there is none. whole tells that
// nothing else is in the string.
func (x *fitting) billingLine(m jsonbody.Member) (line jsonbody.Span, whole bool) {
	if m.Kind != jsonbody.String || !jsonbody.HasPrefix(x.body, m.Value, BillingPrefix) {
		return line, false
	}
	start, end := m.Value.Start+1, m.Value.End-1
	line = jsonbody.Span{Start: start, End: start + lineLength(x.body[start:end])}
	return line, line.End == end
}

// lineLength is how many bytes of a JSON string's interior its first line takes,
// its end of line included.
func lineLength(raw []byte) int {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // the byte behind a backslash begins no escape of its own
		switch {
		case raw[i] == 'n':
			return i + 1
		case raw[i] == 'u' && strings.EqualFold(string(raw[i+1:i+5]), "000a"):
			return i + 5
		}
	}
	return len(raw)
}

// cut removes the bytes at a span that may be empty.
func (x *fitting) cut(v jsonbody.Span) {
	if v.Start < v.End {
		x.edits = append(x.edits, jsonbody.Edit{Span: v})
	}
}
