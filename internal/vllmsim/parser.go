package vllmsim

import (
	"regexp"
	"strings"
)

// delta is what one token adds to the answer: usually one of the three.
type delta struct {
	reasoning string
	content   string
	calls     []callDelta
}

func (d delta) empty() bool { return d.reasoning == "" && d.content == "" && d.calls == nil }

// callDelta opens a call (name set) or continues its arguments.
type callDelta struct {
	index     int
	id, name  string
	arguments string
}

// parser takes the raw answer apart as the parsers "qwen3" (reasoning) and
// "hermes" (tools) do.
type parser struct {
	tools  bool // calls are parsed, else they stay text
	stream bool // calls are given as they come, else their text is kept
	newID  func() string

	reasoning       bool // inside the thought
	reasoningTokens int

	call   strings.Builder // the text of the open call
	inCall bool
	closed bool // one call was completed
	calls  int  // opened so far
	named  bool // the open call's name was given
	sent   int  // bytes of the open call's arguments that were given
}

// newParser begins an answer: while thinking is on, all text is a thought until
// a tag ends it, also where the model opened none.
func (s *Server) newParser(req *Request) *parser {
	return &parser{
		tools:     !s.opts.NoToolParser && req.Choice.Mode != ChoiceNone,
		stream:    req.stream.on,
		reasoning: !s.opts.NoReasoningParser && req.Thinking,
		newID:     newToolID,
	}
}

func (p *parser) next(tok Token) delta {
	switch {
	case tok.Special && tok.Text == ThinkStart && p.reasoning:
		return delta{}
	case tok.Special && tok.Text == ThinkEnd && p.reasoning:
		p.reasoning = false
		return delta{}
	case tok.Special && tok.Text == CallStart && p.tools:
		p.reasoning = false
		if !p.stream {
			return delta{content: tok.Text}
		}
		p.inCall, p.named, p.sent = true, false, 0
		p.call.Reset()
		return delta{}
	case tok.Special && tok.Text == CallEnd && p.tools:
		p.closed = true
		if !p.stream {
			return delta{content: tok.Text}
		}
		p.inCall = false
		return delta{}
	case p.inCall:
		p.call.WriteString(tok.Text)
		return delta{calls: p.progress()}
	case p.reasoning:
		if tok.Text != "" { // the end token has none
			p.reasoningTokens++
		}
		return delta{reasoning: tok.Text}
	case p.calls > 0: // text between and behind streamed calls is dropped
		return delta{}
	}
	return delta{content: tok.Text}
}

var (
	callName      = regexp.MustCompile(`^\s*\{\s*"name"\s*:\s*"([^"]*)"`)
	callArguments = regexp.MustCompile(`^\s*\{\s*"name"\s*:\s*"([^"]*)"\s*,\s*"arguments"\s*:\s*`)
)

// progress gives what the open call's text says beyond what was given.
func (p *parser) progress() []callDelta {
	text := p.call.String()
	head := callArguments.FindStringSubmatch(text)
	if head == nil {
		return nil
	}
	var out []callDelta
	if !p.named {
		out = append(out, p.open(head[1]))
	}
	arguments := text[len(head[0]):]
	end := valueEnd(arguments)
	if end < 0 {
		// A line break may be the end of a call that was never completed.
		end = len(strings.TrimRight(arguments, " \n\t"))
	}
	if end > p.sent {
		out = append(out, callDelta{index: p.calls - 1, arguments: arguments[p.sent:end]})
		p.sent = end
	}
	return out
}

func (p *parser) open(name string) callDelta {
	p.named = true
	p.calls++
	return callDelta{index: p.calls - 1, id: p.newID(), name: name}
}

// finish closes the answer. A call that is cut behind its name gets arguments
// that nobody generated: the real server makes them up.
func (p *parser) finish() []callDelta {
	if !p.inCall || p.named {
		return nil
	}
	head := callName.FindStringSubmatch(p.call.String())
	if head == nil {
		return nil
	}
	c := p.open(head[1])
	c.arguments = "{}"
	return []callDelta{c}
}

// valueEnd is the length of the JSON object, array or scalar that text begins
// with, or -1 while it is open.
func valueEnd(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 && !quoted && (c == '}' || c == ']') {
			return i + 1
		}
		if depth < 0 {
			return i
		}
	}
	return -1
}

var wholeCall = regexp.MustCompile(`(?s)` + CallStart + `(.*?)` + CallEnd)

// splitCalls takes the calls out of a complete answer. One call that is not
// JSON leaves the whole answer text, as the real server does.
func splitCalls(content string, newID func() string) (text string, calls []callDelta) {
	for _, m := range wholeCall.FindAllStringSubmatch(content, -1) {
		head := callArguments.FindString(m[1])
		name := callName.FindStringSubmatch(m[1])
		end := valueEnd(m[1][len(head):])
		if head == "" || end < 0 {
			return content, nil
		}
		calls = append(calls, callDelta{index: len(calls), id: newID(), name: name[1], arguments: m[1][len(head) : len(head)+end]})
	}
	if calls == nil {
		return content, nil
	}
	return content[:strings.Index(content, CallStart)], calls
}
