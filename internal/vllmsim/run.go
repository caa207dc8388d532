package vllmsim

import (
	"context"
	"errors"
	"iter"
	"time"
)

// step is one token of one answer, parsed.
type step struct {
	index      int // which of the n answers
	delta      delta
	finish     Finish
	matched    string // the stop string that ended the answer
	completion int    // tokens so far, the hidden ones and the end included
	reasoning  int    // of these, tokens of the thought
	cached     int    // tokens of the prompt from the cache
}

// run is one request between admission and its end.
type run struct {
	server  *Server
	req     *Request
	tokens  []iter.Seq2[Token, error] // one for each of the n answers
	arrived time.Time
	started bool
	// finished counts the answers that came to their end; an answer does not
	// when the client leaves or a fault strikes.
	finished int
}

// admit asks the queue and the engine. The caller leaves the run in any case
// where there is no error.
func (s *Server) admit(ctx context.Context, req *Request) (*run, *apiError) {
	if !s.scheduler.admit() {
		return nil, queueFull()
	}
	r := &run{server: s, req: req, arrived: s.opts.Now()}
	for range req.N {
		tokens, err := s.opts.Engine.Generate(ctx, req)
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			s.scheduler.leave(false, false)
			return nil, refused(refusal)
		case err != nil:
			s.scheduler.leave(false, false)
			return nil, engineDead()
		}
		r.tokens = append(r.tokens, tokens)
	}
	return r, nil
}

// whole says that every answer came to its end.
func (r *run) whole() bool { return r.finished == r.req.N }

func (r *run) leave() { r.server.scheduler.leave(r.started, r.whole()) }

// steps waits for a seat and runs the answers side by side. The sequence is
// empty when the client leaves before.
func (r *run) steps(ctx context.Context) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		if r.started = r.server.scheduler.start(ctx); !r.started {
			return
		}
		m := r.server.metrics
		watch := stopwatch{now: r.server.opts.Now, arrived: r.arrived, metrics: m}
		watch.begin(len(r.req.Prompt))
		for st, err := range r.interleaved() {
			if err != nil {
				yield(st, err)
				return
			}
			watch.token(st)
			if st.finish != "" {
				r.finished++
			}
			if !yield(st, nil) {
				return
			}
		}
		if r.whole() {
			watch.end()
		}
	}
}

// interleaved takes one token of each answer in turn.
func (r *run) interleaved() iter.Seq2[step, error] {
	if len(r.tokens) == 1 {
		return r.parsed(0)
	}
	return func(yield func(step, error) bool) {
		open := make([]func() (step, error, bool), len(r.tokens))
		for i := range r.tokens {
			next, stop := iter.Pull2(r.parsed(i))
			defer stop()
			open[i] = next
		}
		for left := len(open); left > 0; {
			for i, next := range open {
				if next == nil {
					continue
				}
				st, err, ok := next()
				if !ok {
					open[i], left = nil, left-1
					continue
				}
				if !yield(st, err) || err != nil {
					return
				}
			}
		}
	}
}

// parsed is one answer: sampled, parsed and counted.
func (r *run) parsed(index int) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		p := r.server.newParser(r.req)
		st := step{index: index}
		for s, err := range sampled(r.tokens[index], r.req.MaxTokens, r.req.Stop) {
			if err != nil {
				yield(st, err)
				return
			}
			st.completion += 1 + s.hidden
			st.cached = max(st.cached, s.Cached)
			st.delta, st.finish, st.matched = p.next(s.Token), s.Finish, s.matched
			if !r.req.Parallel && p.closed && st.finish == "" {
				st.finish = FinishStop
			}
			if st.finish != "" {
				st.delta.calls = append(st.delta.calls, p.finish()...)
			}
			st.finish = r.reason(st.finish, p.calls > 0)
			st.reasoning = p.reasoningTokens
			if !yield(st, nil) || st.finish != "" {
				return
			}
		}
	}
}

// reason is the finish reason that the chat API gives: a named tool is not a
// choice of the model and therefore an ordinary stop.
func (r *run) reason(f Finish, called bool) Finish {
	if f == FinishStop && called && r.req.Choice.Mode != ChoiceNamed {
		return FinishToolCalls
	}
	return f
}
