package llmgateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/quota"
)

// serveAlone serves routes that operators compose themselves: llm_auth_quota
// takes the charge by itself and whatever stands behind it answers. A status
// of 400 and above gives the charge back.
func (h *AuthQuota) serveAlone(w http.ResponseWriter, r *http.Request, a *admission, next caddyhttp.Handler) error {
	if e := a.reserve(r.Context()); e != nil {
		return a.refuse(w, r, e)
	}
	a.setPlaceholders(r)
	body := a.body.open([][]byte{a.body.bytes})
	defer body.Close()
	setBody(r, body, int64(len(a.body.bytes)))
	return h.callAlone(w, r, a, next)
}

// callAlone lets the next handler answer and ends the charge by what it did.
func (h *AuthQuota) callAlone(w http.ResponseWriter, r *http.Request, a *admission, next caddyhttp.Handler) error {
	seen := &statusWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	a.sent = true
	err, aborted := callNext(next, seen, r)
	if !a.settled { // llm_model_route may have stood behind and ended it
		a.outcome.status = seen.status
		if seen.status == 0 && err != nil && r.Context().Err() == nil {
			return a.refuse(w, r, handlerRefusal(a, err))
		}
		a.endAlone(r, seen.status, aborted || err != nil)
		aborted = aborted || err != nil && seen.status != 0 // what was begun does not end cleanly
	}
	if aborted {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// endAlone ends the charge of an answer of which only the status is known.
func (a *admission) endAlone(r *http.Request, status int, broken bool) {
	gone := r.Context().Err() != nil
	switch {
	case gone && (status == 0 || status == statusClientGone): // 499 is Caddy's word for it
		a.outcome.word, a.outcome.status = "client_gone", statusClientGone
		a.giveBack(r.Context(), quota.Abandon, "refunded: client left before the answer")
	case gone && status < http.StatusBadRequest:
		a.outcome.word = "client_gone"
		a.keep("client left during the answer")
	case status >= http.StatusBadRequest || broken:
		a.outcome.word = "upstream_error"
		a.giveBack(r.Context(), quota.GiveBack, "refunded: upstream "+strconv.Itoa(status))
	default:
		a.outcome.word = "ok"
		a.keep("answered")
	}
}

// handlerRefusal words a Caddy error. Its text may name internal addresses and
// is never sent.
func handlerRefusal(a *admission, err error) *apierr.Error {
	var status caddyhttp.HandlerError
	if errors.As(err, &status) && status.StatusCode == http.StatusNotFound {
		return apierr.NotFound("POST", a.endpoint.path)
	}
	return apierr.BackendDown(a.facts.Model).Because(err)
}

// serveNext lets the next handler run the model that the table chose: for
// operators who compose llm_model_route with a proxy of their own.
func (h *ModelRoute) serveNext(w http.ResponseWriter, r *http.Request, a *admission, next caddyhttp.Handler) error {
	if e := a.reserve(r.Context()); e != nil {
		return a.refuse(w, r, e)
	}
	a.setPlaceholders(r)
	pieces := jsonbody.Pieces(nil, a.body.bytes, a.facts.ReplaceModel(nil, a.route.Upstream))
	var length int64
	for _, p := range pieces {
		length += int64(len(p))
	}
	body := a.body.open(pieces)
	defer body.Close()
	setBody(r, body, length)
	return a.site.callAlone(w, r, a, next)
}

// setPlaceholders tells the handlers behind what was decided: {vars.llm_tier},
// {vars.llm_subject}, {vars.llm_model_from}, {vars.llm_model},
// {vars.llm_backend}.
func (a *admission) setPlaceholders(r *http.Request) {
	ctx := r.Context()
	caddyhttp.SetVar(ctx, "llm_tier", a.principal.Tier)
	caddyhttp.SetVar(ctx, "llm_subject", a.principal.Subject)
	caddyhttp.SetVar(ctx, "llm_model_from", a.facts.Model)
	if a.routed {
		caddyhttp.SetVar(ctx, "llm_model", a.route.Upstream)
		caddyhttp.SetVar(ctx, "llm_backend", a.route.Backend)
	}
}

// setBody replaces the body of a request. All of these belong together: a
// trailer alone would turn the fixed length back into chunks.
func setBody(r *http.Request, body io.ReadCloser, length int64) {
	r.Body = body
	r.ContentLength = length
	r.Header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	r.TransferEncoding = nil
	r.Trailer = nil
	r.GetBody = nil
}

// statusWriter remembers the status that a handler sent.
type statusWriter struct {
	*caddyhttp.ResponseWriterWrapper
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriterWrapper.Write(p)
}

// ReadFrom implements io.ReaderFrom.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError lets http.ResponseController flush.
func (w *statusWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// begin notes the status that an answer without one has.
func (w *statusWriter) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}
