// Package respw stands between a proxy that writes an upstream's answer and
// the client, and decides when the client gets to see it.
//
// Until the model has said something nothing leaves: an answer that fails
// before that can still become an honest HTTP error, or be asked for elsewhere.
// From then on every write of the proxy is one write to the client, at once. An
// idle stream is kept alive with pings, and a stream that breaks stops between
// two events, so that the caller can end it with an error event.
//
// What goes wrong is reported, never rendered: the package knows no error
// format, no quota and no Caddy. Which headers may leave, the caller's filter
// decides.
//
//	w := respw.New(client, respw.Options{…})
//	defer w.Release()
//	aborted := serve(w, r) // recovers http.ErrAbortHandler
//	outcome := w.Finish(aborted)
//	… settle, then w.AppendError(event) or an HTTP error, where it failed
package respw

import (
	"errors"
	"net/http"
	"time"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/routing/sse"
)

// The default times and the bounds of what is kept of one answer, in bytes.
const (
	DefaultHold = 10 * time.Second
	DefaultPing = 10 * time.Second

	holdLimit    = 1 << 20   // of a stream before its first content; more is released
	captureLimit = 256 << 10 // of an answer that is no success; the rest is discarded
	tailLimit    = 16 << 10  // of a plain answer, for its usage
)

// The errors of Write and AppendError that are not the client's.
var (
	// ErrUpstreamFailed tells the proxy to stop reading: the upstream itself
	// has said that its answer failed. [Outcome] has what it said.
	ErrUpstreamFailed = errors.New("respw: upstream reported an error in its stream")
	// ErrNotStreaming refuses an error event where none can be seen: nothing
	// was sent yet (answer with an HTTP error), or a plain answer was (abort).
	ErrNotStreaming = errors.New("respw: no event stream was sent")
	// ErrFinished refuses writes behind Finish.
	ErrFinished = errors.New("respw: answer is finished")
)

// Timer is what [Options.AfterFunc] returns; *time.Timer is one.
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// Options say how one answer is treated.
type Options struct {
	// Dialect is that of the stream: of the upstream and of the client.
	Dialect dialect.Dialect
	// Stream tells that the client asked for a stream. Then a body that looks
	// like one is treated so whatever its label says.
	Stream bool
	// HideUsage withholds the chunk that only brings usage.
	HideUsage bool
	// Hold is how long status and headers of a stream wait for its first
	// content. 0 means [DefaultHold], less than 0 as long as it takes.
	Hold time.Duration
	// Ping is the silence after which a ping is sent, once the headers are.
	// 0 means [DefaultPing], less than 0 never.
	Ping time.Duration
	// Filter copies the headers that the client may see from src, those of the
	// upstream, to dst. Without it none pass.
	Filter func(dst, src http.Header, status int)
	// Now is the clock; required.
	Now func() time.Time
	// AfterFunc calls f in its own goroutine after d. nil means time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) Timer
}

// Outcome says what became of an answer. It is the caller's to judge: what to
// charge, whether to try again, what to tell the client.
type Outcome struct {
	// Status is the upstream's; 0 if it never answered.
	Status int
	// Committed tells that the client has status and headers. If false, the
	// caller still has to answer.
	Committed bool
	// Stream tells that the answer was an event stream.
	Stream bool
	// Content tells that the model said something; for a plain answer, that it
	// has a body.
	Content bool
	// Complete tells that the upstream's answer is whole: a stream with its
	// stop reason or end marker, a plain body to its end.
	Complete bool
	// Empty tells of a success without a single byte of body.
	Empty bool
	// Failed tells that the upstream reported an error inside its stream.
	// Failure is the data of that event; nil where it came without words.
	Failed  bool
	Failure []byte
	// Captured is the body, and CapturedHeader the headers, of an answer that
	// is no success (status below 200 or from 300 on), up to 256 KiB. Both are
	// valid until Release.
	Captured       []byte
	CapturedHeader http.Header
	// ClientGone tells that a write to the client failed. A client that left
	// while nothing was written shows only in the request's context.
	ClientGone bool
	// FirstByte is when the first content came, zero if none did.
	FirstByte time.Time
	// Bytes of body that were written to the client.
	Bytes int64
	// Usage is what the upstream counted, as far as it got.
	Usage sse.Usage
	// StopReason is the upstream's word for why a stream stopped.
	StopReason string
}
