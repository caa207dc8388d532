package apierr

import "time"

// Error is a refusal.
type Error struct {
	// Kind decides status and type word.
	Kind Kind
	// Message is sent: what happened, and what to do next. At most
	// [MaxMessage] characters, but for an upstream's own text.
	Message string
	// Cause is logged, never sent; it may name internal addresses. May be nil.
	Cause error

	// RetryAfter is sent as retry-after in whole seconds, rounded up. 0: not
	// sent.
	RetryAfter time.Duration
	// NoRetry sends x-should-retry: false, which both SDKs obey before anything
	// else. Without it they sleep for the whole of RetryAfter.
	NoRetry bool
	// Allow is the Allow header of a 405; "" otherwise.
	Allow string
	// Param is the member of the body that it is about, for the OpenAI dialect;
	// "" where there is none.
	Param string
	// Spent is the block of headers that makes Claude Code show the message
	// alone; nil where no quota is spent. Anthropic dialect only.
	Spent *Spent
	// Status is the status of an [KindUpstream] error, 400 to 599. Ignored for
	// every other kind.
	Status int
}

// Spent is a used-up window, as the unified headers say it.
type Spent struct {
	// Limit and Used are in units of the window.
	Limit, Used int64
	// Resets is when the window ends.
	Resets time.Time
	// Period is daily, weekly or monthly; "" for any other window.
	Period string
}

// Error returns kind, message and cause: a line for the log, not for clients.
func (e *Error) Error() string {
	s := e.Kind.String() + ": " + e.Message
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Because returns e with the cause that the log is to have.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}
