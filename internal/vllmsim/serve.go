package vllmsim

import (
	"errors"
	"net/http"
	"strings"
)

// serve runs a request that was read, or refuses one that was not. native says
// in which of the two APIs the client speaks.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, req *Request, e *apiError, native bool) {
	if e != nil {
		writeError(w, e, native)
		return
	}
	req.ID = newAnswerID(r.Header)
	run, e := s.admit(r.Context(), req)
	if e != nil {
		writeError(w, e, native)
		return
	}
	defer run.leave()
	if req.stream.on {
		s.stream(w, r, run, native)
		return
	}
	a, err := run.assemble(r)
	switch {
	case errors.Is(err, ErrConnectionCut):
		panic(http.ErrAbortHandler)
	case errors.Is(err, ErrEmptyAnswer):
		w.WriteHeader(http.StatusOK)
	case err != nil:
		writeError(w, engineDead(), native)
	case !run.whole(): // nobody is there to read an answer
	case native:
		s.writeMessage(w, req, a)
	default:
		s.writeChat(w, req, a)
	}
}

// assembled are complete answers.
type assembled struct {
	texts []assembledText
	tally tally
}

type assembledText struct {
	reasoning, content string
	calls              []callDelta
	finish             Finish
	matched            string
}

// assemble waits for the answers and takes their tool calls out of the text.
func (r *run) assemble(hr *http.Request) (*assembled, error) {
	a := &assembled{texts: make([]assembledText, r.req.N), tally: newTally(r.req.N)}
	reasoning, content := make([]strings.Builder, r.req.N), make([]strings.Builder, r.req.N)
	for st, err := range r.steps(hr.Context()) {
		if err != nil {
			return nil, err
		}
		a.tally.add(st)
		reasoning[st.index].WriteString(st.delta.reasoning)
		content[st.index].WriteString(st.delta.content)
		a.texts[st.index].finish, a.texts[st.index].matched = st.finish, st.matched
	}
	for i := range a.texts {
		t := &a.texts[i]
		t.reasoning, t.content = reasoning[i].String(), content[i].String()
		if r.req.Choice.Mode == ChoiceNone || r.server.opts.NoToolParser {
			continue
		}
		t.content, t.calls = splitCalls(t.content, newToolID)
		if len(t.calls) == 0 {
			continue
		}
		t.finish = r.reason(t.finish, true)
		if strings.TrimSpace(t.content) == "" {
			t.content = ""
		}
	}
	return a, nil
}

// events writes the event stream of one API.
type events interface {
	first(st step)     // before the first token
	token(st step)     // one token
	last()             // the end of a whole answer
	fault(e *apiError) // the end of an answer whose engine died
}

// stream sends the headers at once, before anything is scheduled; the first
// event comes with the first token.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, run *run, native bool) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	out := &eventWriter{w: w, flush: http.NewResponseController(w)}
	out.flushNow()
	var ev events = &chatEvents{server: s, req: run.req, out: out, created: s.opts.Now().Unix(), tally: newTally(run.req.N)}
	if native {
		ev = &messageEvents{server: s, req: run.req, out: out, tally: newTally(1)}
	}
	begun := false
	for st, err := range run.steps(r.Context()) {
		switch {
		case errors.Is(err, ErrConnectionCut):
			panic(http.ErrAbortHandler)
		case errors.Is(err, ErrEmptyAnswer):
			return
		}
		if !begun {
			begun = true
			ev.first(st)
		}
		if err != nil {
			ev.fault(engineDead())
			return
		}
		ev.token(st)
		if out.err != nil {
			return
		}
	}
	if run.whole() {
		ev.last()
	}
}

// eventWriter sends each event in a chunk of its own.
type eventWriter struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	err   error // the first that a write returned: the client is gone
}

func (e *eventWriter) send(event string, data []byte) {
	if e.err != nil {
		return
	}
	var b strings.Builder
	if event != "" {
		b.WriteString("event: " + event + "\n")
	}
	b.WriteString("data: ")
	b.Write(data)
	b.WriteString("\n\n")
	if _, e.err = e.w.Write([]byte(b.String())); e.err == nil {
		e.flushNow()
	}
}

// flushNow does nothing where the writer cannot flush, as in a test's recorder.
func (e *eventWriter) flushNow() {
	if err := e.flush.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		e.err = err
	}
}
