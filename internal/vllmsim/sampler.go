package vllmsim

import (
	"iter"
	"strings"
)

// sample is a token after the server's own ends: max_tokens and stop strings.
type sample struct {
	Token
	matched string // the stop string that ended the answer
	hidden  int    // further tokens that were generated to get here and are not seen
}

// sampled ends the engine's tokens at the request's limits. Tokens are held
// back while they could be the beginning of a stop string, whose text never
// reaches the client.
func sampled(tokens iter.Seq2[Token, error], maxTokens int, stops []string) iter.Seq2[sample, error] {
	return func(yield func(sample, error) bool) {
		s := stopper{stops: stops, yield: yield}
		generated := 0
		for tok, err := range tokens {
			if err != nil {
				yield(sample{}, err)
				return
			}
			generated++
			if tok.Finish == "" && generated >= maxTokens {
				tok.Finish = FinishLength
			}
			if !s.next(tok) || tok.Finish != "" {
				return
			}
		}
	}
}

type stopper struct {
	stops []string
	held  []Token
	yield func(sample, error) bool
}

// next takes one token and gives on what can no longer be part of a stop
// string. It returns false when the answer has ended.
func (s *stopper) next(tok Token) bool {
	s.held = append(s.held, tok)
	text := s.text()
	if at, stop := s.find(text); stop != "" {
		s.end(at, stop)
		return false
	}
	keep := len(text)
	if tok.Finish == "" {
		keep -= s.partial(text)
	}
	n := 0
	for ; n < len(s.held) && (len(s.held[n].Text) <= keep || tok.Finish != ""); n++ {
		keep -= len(s.held[n].Text)
		if !s.yield(sample{Token: s.held[n]}, nil) {
			return false
		}
	}
	s.held = s.held[n:]
	return true
}

func (s *stopper) text() string {
	if len(s.held) == 1 {
		return s.held[0].Text
	}
	var b strings.Builder
	for _, t := range s.held {
		b.WriteString(t.Text)
	}
	return b.String()
}

func (s *stopper) find(text string) (at int, stop string) {
	at = len(text)
	for _, candidate := range s.stops {
		if i := strings.Index(text, candidate); candidate != "" && i >= 0 && i < at {
			at, stop = i, candidate
		}
	}
	return at, stop
}

// partial is the length of the longest end of text that begins a stop string.
func (s *stopper) partial(text string) int {
	longest := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(text)); n > longest; n-- {
			if strings.HasSuffix(text, stop[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// end gives the held tokens up to byte at, then the end.
func (s *stopper) end(at int, stop string) {
	for i, t := range s.held {
		if at <= len(t.Text) {
			t.Text, t.Special, t.Finish = t.Text[:at], false, FinishStop
			s.yield(sample{Token: t, matched: stop, hidden: len(s.held) - i - 1}, nil)
			return
		}
		at -= len(t.Text)
		if !s.yield(sample{Token: t}, nil) {
			return
		}
	}
}
