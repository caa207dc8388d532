package routing

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/routing/anthropic"
	"github.com/openova-io/llm-gateway/routing/openai"
)

// Answer is what an upstream said instead of an answer, and of which request.
type Answer struct {
	Status int
	Header http.Header
	// Body is the whole error body or its bounded beginning.
	Body []byte
	// Model is the name that the client asked for.
	Model string
	// RequestBytes is the size of the request's body, from which the length of
	// a prompt that was too long is estimated.
	RequestBytes int64
	// MaxTokens is the answer's limit as the upstream saw it; 0 if none.
	MaxTokens int64
	// ContextLength is the model's, where it is known; else 0.
	ContextLength int64
}

// Refusal decides what a client sees of an upstream's error. pass: the body as
// it is, with the upstream's status, because the client reads that dialect and
// matches on its words. Otherwise e says it in ours: a refused key, a list of
// the backend's models, HTML and what has another shape than the client's
// dialect never leave the house as they are.
func Refusal(a Answer, b *Backend, d dialect.Dialect) (pass bool, e *apierr.Error) {
	if a.refused(b) {
		return false, apierr.UpstreamAuth()
	}
	if b.API.Internal() {
		if e := a.ofServer(d); e != nil {
			return false, e
		}
	}
	if a.Status >= 400 && a.Status <= 599 && a.speaks(b, d) {
		return true, nil
	}
	text, ok := openai.ErrorText(a.Body)
	if !ok && (a.Status == http.StatusBadGateway || a.Status == http.StatusServiceUnavailable) {
		return false, apierr.BackendDown(a.Model)
	}
	return false, apierr.FromUpstream(a.Status, text, a.Model, a.retryAfter())
}

// refused reports whether the upstream refused our key or its account, not the
// client's request.
func (a *Answer) refused(b *Backend) bool {
	switch a.Status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
		return true
	}
	return b.API == Anthropic && anthropic.Refused(a.Body)
}

// speaks reports whether the body is an error of the client's own dialect, in
// that API's own words. vLLM's Messages errors have type words of its own.
func (a *Answer) speaks(b *Backend, d dialect.Dialect) bool {
	if d == dialect.Anthropic {
		return b.API == Anthropic && anthropic.IsError(a.Body)
	}
	return b.API != Anthropic && openai.IsError(a.Body)
}

// ofServer words the errors of inference servers that mean something else than
// they say; nil for all others.
func (a *Answer) ofServer(d dialect.Dialect) *apierr.Error {
	text, _ := openai.ErrorText(a.Body)
	switch {
	case a.Status == http.StatusNotFound && text == "Not Found":
		// The path, not the model: this build lacks the endpoint.
		return apierr.FromUpstream(http.StatusBadGateway, "", a.Model, 0)
	case a.Status == http.StatusNotFound:
		return apierr.ModelUnknown(a.Model, nil)
	case a.Status == http.StatusInternalServerError && strings.Contains(text, "cannot schedule new futures"):
		return apierr.BackendFull(a.Model, a.retryAfter()) // it is draining
	case a.Status == http.StatusServiceUnavailable && d == dialect.Anthropic && text != "":
		return apierr.BackendFull(a.Model, a.retryAfter())
	case a.Status == http.StatusBadRequest && d == dialect.Anthropic:
		return a.overflow(text)
	}
	return nil
}

// bytesPerToken turns a body's size into tokens where nobody counted: English
// prose and code as JSON, on the careful side.
const bytesPerToken = 3.6

// overflow says in Anthropic's words that the context is too small: they are
// the only ones by which every version of Claude Code shortens its prompt.
func (a *Answer) overflow(text string) *apierr.Error {
	over, ok := openai.ParseOverflow(text)
	if !ok || (over.Context == 0 && a.MaxTokens == 0) {
		return nil
	}
	most := over.Context
	if most == 0 {
		most = a.ContextLength
	}
	if most == 0 {
		return nil
	}
	prompt := int64(float64(a.RequestBytes) / bytesPerToken)
	if over.Answer > 0 && prompt < most {
		return apierr.FromUpstream(http.StatusBadRequest, fmt.Sprintf(
			"input length and `max_tokens` exceed context limit: %d + %d > %d, decrease input length or `max_tokens` and try again",
			prompt, over.Answer, most), a.Model, 0)
	}
	return apierr.ContextTooLong(max(prompt, most+1), most)
}

// retryAfter is the pause that the upstream asks for, clamped; 0 if none.
func (a *Answer) retryAfter() time.Duration {
	after, ok := clampRetryAfter(a.Header.Get("Retry-After"))
	if !ok {
		return 0
	}
	seconds, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
