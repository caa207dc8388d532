package apierr

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// Write answers a request with e: status, headers and body in dialect d.
// Nothing may have been written before. net/http leaves the body out of the
// answer to a HEAD request.
func Write(w http.ResponseWriter, d dialect.Dialect, e *Error, requestID string) {
	f := e.form(d)
	body := append(e.body(nil, d, f, requestID), '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	e.headers(h, d, f, requestID)
	w.WriteHeader(f.status)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(body)
}

// AppendEvent appends e as the last event of a stream that has begun. No
// [DONE] follows it: the stream did not end well.
func AppendEvent(dst []byte, d dialect.Dialect, e *Error, requestID string) []byte {
	if d == dialect.Anthropic {
		dst = append(dst, "event: error\n"...)
	}
	dst = append(dst, "data: "...)
	dst = e.body(dst, d, e.form(d), requestID)
	return append(dst, "\n\n"...)
}

// StatusIn returns the status that [Write] sends in dialect d, for metrics and
// logs.
func (e *Error) StatusIn(d dialect.Dialect) int { return e.form(d).status }

func (e *Error) form(d dialect.Dialect) form {
	if d == dialect.OpenAI {
		return e.openAI()
	}
	return e.anthropic()
}

// headers sets what clients act on before they read the body.
func (e *Error) headers(h http.Header, d dialect.Dialect, f form, requestID string) {
	if requestID != "" {
		h.Set("Request-Id", requestID)
		if d == dialect.OpenAI {
			h.Set("X-Request-Id", requestID) // where its SDKs look
		}
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(ceil(e.RetryAfter), 10))
	}
	if e.NoRetry {
		h.Set("X-Should-Retry", "false")
	}
	if e.Allow != "" {
		h.Set("Allow", e.Allow)
	}
	if f.status == http.StatusUnauthorized {
		challenge := `Bearer error="invalid_token"`
		if e.Kind == KindNoCredential {
			challenge = "Bearer" // RFC 6750: no error code where nothing was sent
		}
		h.Set("WWW-Authenticate", challenge)
	}
	if e.Spent != nil && d == dialect.Anthropic {
		e.Spent.headers(h)
	}
}

// headers sets the block that makes Claude Code, signed in through a gateway,
// show the message alone. With representative-claim or overage-status on it,
// the client would show a text of its own.
func (s *Spent) headers(h http.Header) {
	const unified = "Anthropic-Ratelimit-Unified-"
	reset := strconv.FormatInt(ceil(time.Duration(s.Resets.UnixNano())), 10)
	h.Set(unified+"Status", "rejected")
	h.Set(unified+"Reset", reset)
	h.Set(unified+"Overage-Reset", reset)
	h.Set(unified+"Overage-Utilization", "1")
	h.Set(unified+"Overage-Surpassed-Threshold", "1")
	if s.Period != "" {
		h.Set(unified+"Overage-Period", s.Period)
	}
	h.Set(unified+"Overage-Disabled-Reason", "org_spend_cap_reached")
}

// ceil returns whole seconds, so that nobody comes back too early.
func ceil(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// The bodies, members in the order in which the APIs send them.
type (
	anthropicBody struct {
		Type      string         `json:"type"`
		Error     anthropicError `json:"error"`
		RequestID string         `json:"request_id,omitempty"`
	}
	anthropicError struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	openAIBody struct {
		Error openAIError `json:"error"`
	}
	openAIError struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
)

// body appends the JSON of e, on one line.
func (e *Error) body(dst []byte, d dialect.Dialect, f form, requestID string) []byte {
	var v any = anthropicBody{"error", anthropicError{f.typ, e.Message}, requestID}
	if d == dialect.OpenAI {
		v = openAIBody{openAIError{e.Message, f.typ, orNull(e.Param), orNull(f.code)}}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // texts are shown to people as they are
	if err := enc.Encode(v); err != nil {
		panic("apierr: internal error: " + err.Error()) // strings always encode
	}
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
