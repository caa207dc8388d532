package respw

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/openova-io/llm-gateway/routing/sse"
)

// state is where an answer stands.
//
//	waiting ──2xx──► opening ──first byte──► plain
//	   │                │
//	   │                └─event stream─► holding ──content, or too long──► passing
//	   └─any other─► captured               └──── error frame ──► failed ◄────┘
type state uint8

const (
	waiting  state = iota // no status yet
	captured              // no success: kept for the caller
	opening               // a success, but no body yet to tell its kind
	plain                 // passes as it comes
	holding               // a stream without content yet: nothing was sent
	passing               // a stream that the client sees
	failed                // a stream that ended with an error of the upstream
)

// Writer is the http.ResponseWriter that a proxy writes one answer to. Its
// header map is its own: what an attempt leaves there is not seen by the client
// nor by another attempt. Pings come from a timer, so it is safe for
// concurrent use.
type Writer struct {
	opts    Options
	client  http.ResponseWriter
	control http.ResponseController // of client

	mu        sync.Mutex
	header    http.Header // of the upstream's answer
	trailer   http.Header // what is set behind the status: seen by nobody
	state     state
	status    int
	committed bool
	finished  bool
	aborted   bool
	relabel   bool // an event stream that is labelled as something else
	body      bool // the upstream sent a byte of body
	unflushed bool
	err       error // of a write to the client
	sent      int64
	first     time.Time // first content
	last      time.Time // last write of a stream
	meter     sse.Meter
	held      *buffer // before the first content, or to tell the kind
	tail      *buffer // of a plain answer
	capture   []byte
	timer     Timer
	tickFunc  func() // w.tick, bound once
	stale     bool   // a timer may still call: not to be used again
}

var writers = sync.Pool{New: func() any {
	w := &Writer{header: make(http.Header), trailer: make(http.Header)}
	w.tickFunc = w.tick
	return w
}}

// New returns a Writer for one attempt to answer client. Call Finish when the
// proxy has returned and Release when nothing of the answer is needed any more.
func New(client http.ResponseWriter, opts Options) *Writer {
	w, ok := writers.Get().(*Writer)
	if !ok {
		panic("respw: foreign value in the pool")
	}
	if opts.Hold == 0 {
		opts.Hold = DefaultHold
	}
	if opts.Ping == 0 {
		opts.Ping = DefaultPing
	}
	w.opts = opts
	w.client = client
	w.control = *http.NewResponseController(client)
	return w
}

// Release gives the Writer back. It must not be used afterwards.
func (w *Writer) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(true)
	w.held.free(&holds)
	w.tail.free(&tails)
	w.held, w.tail = nil, nil
	if w.stale {
		return
	}
	w.reset()
	writers.Put(w)
}

// reset empties every field but the mutex, which is held, and what is worth
// keeping: maps and the meter's buffers.
func (w *Writer) reset() {
	clear(w.header)
	clear(w.trailer)
	w.meter.Reset(0, false)
	w.opts, w.client, w.control = Options{}, nil, http.ResponseController{}
	w.state, w.status, w.err = waiting, 0, nil
	w.committed, w.finished, w.aborted, w.relabel = false, false, false, false
	w.body, w.unflushed, w.sent = false, false, 0
	w.first, w.last = time.Time{}, time.Time{}
	w.capture, w.timer = nil, nil
}

// Header returns the map for the upstream's headers; it is never the client's.
// Behind the status it is another one, for trailers, which are dropped: a timer
// may be sending the headers at that time.
func (w *Writer) Header() http.Header {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status != 0 {
		return w.trailer
	}
	return w.header
}

// Unwrap lets http.ResponseController reach deadlines of the connection.
func (w *Writer) Unwrap() http.ResponseWriter { return w.client }

// WriteHeader takes the upstream's status. Nothing is sent yet. Informational
// answers are dropped; switching protocols is an answer that nobody asked for.
func (w *Writer) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *Writer) writeHeader(status int) {
	informational := status < 200 && status != http.StatusSwitchingProtocols
	if w.state != waiting || w.finished || informational {
		return
	}
	w.status = status
	switch {
	case status < 200 || status >= 300:
		w.state = captured
	case w.labelledStream():
		w.hold()
	default:
		w.state = opening
	}
}

// labelledStream reports whether the headers announce an event stream that can
// be read. A compressed one cannot; it passes as a plain answer.
func (w *Writer) labelledStream() bool {
	if e := w.header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
	label, _, _ := strings.Cut(w.header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(label), "text/event-stream")
}

// Write takes the next bytes of the upstream's body.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished {
		return 0, ErrFinished
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.state == waiting {
		w.writeHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	w.body = true
	var err error
	switch w.state {
	case waiting, captured:
		room := max(captureLimit-len(w.capture), 0)
		w.capture = append(w.capture, p[:min(len(p), room)]...)
	case opening:
		err = w.open(p)
	case plain:
		err = w.writePlain(p)
	case holding, passing:
		err = w.writeStream(p)
	case failed:
		err = ErrUpstreamFailed
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// ReadFrom copies through Write, with a pooled buffer: nothing gets past it.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	b := take(&tails)
	defer b.free(&tails)
	return io.CopyBuffer(writeOnly{w}, r, b.data[:cap(b.data)])
}

// writeOnly hides ReadFrom from io.CopyBuffer.
type writeOnly struct{ io.Writer }

// FlushError flushes what was sent since the last flush, if anything was.
func (w *Writer) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished {
		return ErrFinished
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if !w.unflushed || w.err != nil {
		return w.err
	}
	w.unflushed = false
	err := w.control.Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.err = err
	}
	return err
}

// commit sends status and headers.
func (w *Writer) commit() {
	dst := w.client.Header()
	if w.opts.Filter != nil {
		w.opts.Filter(dst, w.header, w.status)
	}
	if w.state != plain {
		dst.Del("Content-Length") // pings come in between, a last event may go
	}
	if w.relabel {
		dst.Set("Content-Type", "text/event-stream")
	}
	w.committed, w.unflushed = true, true
	w.client.WriteHeader(w.status)
}

// send writes to the client and remembers if it is gone.
func (w *Writer) send(p []byte) error {
	if w.err != nil || len(p) == 0 {
		return w.err
	}
	w.unflushed = true
	n, err := w.client.Write(p)
	w.sent += int64(n)
	w.err = err
	return err
}
