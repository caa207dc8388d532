package apierr

import (
	"fmt"
	"net/http"
	"time"
)

// The refusals that are about a model or what runs it. Names that stand in
// them come from the request or the configuration; upstream addresses never do.

// ModelDenied is row 12: the model lies beyond the tier's wall. use are models
// that the tier may use, best first.
func ModelDenied(tier, model string, use []string, base string) *Error {
	text := word(tier, 64) + " does not include " + word(model, 64) + "."
	if len(use) > 0 {
		text += " Use " + list(use, 80)
		text += linked(", or see the plans: ", base, "/", ", or ask for another plan.")
	} else {
		text += linked(" See the plans: ", base, "/", " Ask for another plan.")
	}
	return &Error{Kind: KindModelDenied, Message: clip(text), NoRetry: true, Param: "model"}
}

// ModelUnknown is row 13: nobody has the model. allowed are models that the
// tier may use.
func ModelUnknown(model string, allowed []string) *Error {
	text := "model: " + word(model, 64)
	if len(allowed) > 0 {
		text += ". You may use: " + list(allowed, 130)
	}
	return &Error{Kind: KindModelUnknown, Message: clip(text), Param: "model"}
}

// DialectMismatch refuses a model that cannot answer in the caller's dialect.
// use is what to do instead: "/v1/chat/completions", "claude-haiku-4-5".
func DialectMismatch(model, use string) *Error {
	return &Error{
		Kind:    KindDialectMismatch,
		Message: clip(word(model, 64) + " does not answer in this API. Use " + word(use, 120) + "."),
		NoRetry: true,
		Param:   "model",
	}
}

// BackendFull is row 16: every replica is busy. wait is when to come back; it
// is kept within 1 to 30 s.
func BackendFull(model string, wait time.Duration) *Error {
	return &Error{
		Kind:       KindBackendFull,
		Message:    clip(word(model, 64) + " is full. Trying again helps."),
		RetryAfter: min(max(wait, time.Second), 30*time.Second),
	}
}

// BackendDown is row 16 for a model of which no replica answers.
func BackendDown(model string) *Error {
	return &Error{
		Kind:       KindBackendDown,
		Message:    clip(word(model, 64) + " cannot be reached at the moment. Trying again helps."),
		RetryAfter: 5 * time.Second,
	}
}

// UpstreamAuth is row 17: an upstream refused the gateway's own key. Never a
// 401, which would sign people out.
func UpstreamAuth() *Error {
	return &Error{
		Kind:    KindUpstreamAuth,
		Message: "The model provider refused this gateway. The operator has been told.",
		NoRetry: true,
	}
}

// maxUpstream bounds an upstream's own text, which clients match on.
const maxUpstream = 2000

// FromUpstream is an upstream's error in our shape, with the upstream's status
// and text where they may be shown. An empty text is replaced; statuses that
// are no error become 502, and 401 or 403 are [UpstreamAuth]: they are about
// the gateway's key, and their text may name it.
func FromUpstream(status int, text, model string, retryAfter time.Duration) *Error {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return UpstreamAuth()
	}
	if status < 400 || status > 599 {
		status = http.StatusBadGateway
	}
	if text == "" {
		text = fmt.Sprintf("%s answered with status %d.", word(model, 64), status)
	}
	if r := []rune(text); len(r) > maxUpstream {
		text = string(r[:maxUpstream-1]) + "…"
	}
	return &Error{Kind: KindUpstream, Status: status, Message: text, RetryAfter: retryAfter}
}

// StreamBroke is row 18: an answer that broke off. counted tells whether it
// stays charged, by the settle's reply.
func StreamBroke(model string, counted bool) *Error {
	e := &Error{Kind: KindStreamBroke, Message: clip(word(model, 64) + " stopped in mid-answer.")}
	if counted {
		return e
	}
	return e.NotCounted()
}

// TookTooLong is an answer that reached the tier's max_duration. What was said
// until then stays charged.
func TookTooLong(tier string, most time.Duration) *Error {
	return &Error{Kind: KindStreamBroke, Message: clip("An answer may take " + Span(most) + " on " + word(tier, 64) + ", and this one took longer. Ask for less at once.")}
}

// NotCounted returns e saying that the request was not counted. It is for
// refusals after a charge, once the store has confirmed that it gave it back.
func (e *Error) NotCounted() *Error {
	e.Message += " Not counted."
	return e
}
