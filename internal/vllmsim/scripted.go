package vllmsim

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"
)

// Scripted is the engine that answers as the prompt asks it to; the package
// documentation lists what it understands.
type Scripted struct {
	// First is the wait before the first token. 0 means none. A script's own
	// first= is used instead.
	First time.Duration
	// Gap is the wait between two tokens. 0 means none. A script's own gap= is
	// used instead.
	Gap time.Duration
	// TokenBytes is the longest token of a text in bytes. 0 means 4.
	TokenBytes int
}

// Generate starts the answer that the last text of the user asks for.
func (e Scripted) Generate(ctx context.Context, req *Request) (iter.Seq2[Token, error], error) {
	if e.TokenBytes == 0 {
		e.TokenBytes = defaultTokenBytes
	}
	p := e.plan(req)
	if p.status != 0 {
		return nil, &Refusal{Status: p.status, Message: statusText(p.status)}
	}
	return func(yield func(Token, error) bool) {
		if p.empty200 {
			yield(Token{}, ErrEmptyAnswer)
			return
		}
		wait := p.first
		n := 0
		for tok := range p.tokens(e.TokenBytes) {
			if !sleep(ctx, wait) {
				return
			}
			wait = p.gap
			if p.fault != nil && (n == p.after || tok.Finish != "") {
				yield(p.faultToken(), p.faultError())
				return
			}
			n++
			if !yield(tok, nil) {
				return
			}
		}
	}, nil
}

// sleep waits for d. It returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// statusText is what the real server says with a status, where it is known.
func statusText(status int) string {
	switch status {
	case 500:
		return "cannot schedule new futures after shutdown"
	case 503:
		return queueFull().message
	}
	return "This refusal is simulated."
}

// plan is an answer before it is cut into tokens.
type plan struct {
	thinking bool // a thought is opened and closed, be it empty
	think    string
	text     string
	calls    []call
	words    int // instead of text, this many words; -1 is without end
	first    time.Duration
	gap      time.Duration
	status   int
	empty200 bool
	fault    error // nil for none, errAbort ends with finish_reason abort
	after    int   // tokens before the fault
}

type call struct {
	name      string
	arguments json.RawMessage
}

// plan decides what is answered.
func (e Scripted) plan(req *Request) plan {
	turn := readTurn(req.Messages)
	p := parseMarkers(turn.text)
	if p.first == 0 {
		p.first = e.First
	}
	if p.gap == 0 {
		p.gap = e.Gap
	}
	p.thinking = req.Thinking
	switch {
	case turn.answered && !p.scripted && turn.failed:
		return p.say(closing(turn))
	case p.scripted && turn.answered && p.calls != nil:
		p.calls, p.think, p.words = nil, "", 0
		return p.say(closing(turn))
	case p.scripted:
		return p.plan
	case req.Schema != nil:
		return p.say(string(fitting(req.Schema)))
	}
	if calls, missing := understood(turn, req); missing != "" {
		return p.say(missing)
	} else if calls != nil {
		p.calls = calls
		return p.plan
	}
	switch {
	case req.Choice.forced():
		p.calls = []call{forced(req)}
		return p.plan
	case turn.answered:
		return p.say(closing(turn))
	}
	return p.say(echo(turn.text))
}

// say is the plan with another text.
func (p plan) say(text string) plan {
	p.text = text
	return p
}

// forced is the call that tool_choice demands: the named tool or the first.
func forced(req *Request) call {
	tool := req.Tools[0]
	for _, t := range req.Tools {
		if t.Name == req.Choice.Name {
			tool = t
		}
	}
	return call{name: tool.Name, arguments: fitting(tool.Parameters)}
}

// tokens cuts the plan into tokens, tags included. While thinking is on an
// answer must open and close its thought: text outside one would be a thought.
func (p plan) tokens(size int) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		ok := true
		special := func(tag string) { ok = ok && yield(Token{Text: tag, Special: true}) }
		text := func(s string) {
			for _, t := range splitTokens(s, size) {
				ok = ok && yield(Token{Text: t})
			}
		}
		if p.thinking {
			special(ThinkStart)
			if p.think != "" {
				text("\n" + p.think + "\n")
			}
			special(ThinkEnd)
			if p.think != "" {
				text("\n\n")
			}
		}
		text(p.text)
		if p.words != 0 {
			text(strings.TrimPrefix(word, " "))
		}
		for i := 1; ok && i != p.words && p.words != 0; i++ {
			text(word)
		}
		for i, c := range p.calls {
			if i > 0 || p.text != "" {
				text("\n")
			}
			special(CallStart)
			text("\n" + `{"name": "` + c.name + `", "arguments": ` + string(c.arguments) + "}\n")
			special(CallEnd)
		}
		if ok {
			yield(Token{Finish: FinishStop})
		}
	}
}

// word is what n= and forever repeat, one token each.
const word = " sim"
