package llmgateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/internal/respw"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/routing"
	"github.com/openova-io/llm-gateway/routing/anthropic"
	"github.com/openova-io/llm-gateway/routing/sse"
)

// prepared is a request body as the chosen upstream is to read it.
type prepared struct {
	pieces  [][]byte
	length  int64
	notes   routing.EditNotes
	context int64 // the model's, in tokens; 0 where nobody said
}

// prepare refuses what may not reach the backend and applies the named edits
// of the route.
func (h *ModelRoute) prepare(a *admission, u *upstreams) (*prepared, *apierr.Error) {
	body := a.body.bytes
	if err := routing.CheckMembers(body, a.facts, &u.Backend); err != nil {
		var refused *routing.MemberError
		if errors.As(err, &refused) {
			return nil, apierr.MemberRefused(refused.Name, a.route.Model)
		}
		return nil, apierr.Internal(err)
	}
	model := h.table.Model(u.Name, a.route.Upstream)
	edits, notes := routing.Edits(nil, body, a.facts, &a.route, &u.Backend, model, routing.EditOptions{
		Dialect:     a.dialect,
		MaxTokens:   a.tier.maxTokens,
		CountTokens: a.endpoint.kind == kindCount,
	})
	p := &prepared{notes: notes, context: model.ContextLength}
	p.pieces = jsonbody.Pieces(nil, body, edits)
	for _, piece := range p.pieces {
		p.length += int64(len(piece))
	}
	return p, nil
}

// forward sends the request to the backend and ends the charge by what came of
// it.
func (h *ModelRoute) forward(w http.ResponseWriter, r *http.Request, a *admission, u *upstreams, p *prepared) error {
	ctx := r.Context()
	if a.tier.maxDuration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.tier.maxDuration)
		defer cancel()
	}
	body := a.body.open(p.pieces)
	defer body.Close()
	req := h.upstreamRequest(r.WithContext(ctx), a, u, p, body)
	rw := respw.New(w, respw.Options{
		Now:       a.site.now,
		Dialect:   a.dialect,
		Stream:    a.facts.Stream,
		HideUsage: p.notes.HideUsage,
		Filter: func(dst, src http.Header, status int) {
			// The answer begins: the prompt is not needed any more.
			a.body.release()
			h.answerHeader(dst, src, a, u, status)
			// With its length a plain answer that breaks off is seen to.
			if length := src["Content-Length"]; len(length) == 1 && len(src["Content-Encoding"]) == 0 {
				dst["Content-Length"] = length
			}
		},
	})
	defer rw.Release()
	a.sent = true
	err, aborted := callNext(proxyHandler{u.proxy}, rw, req)
	out := rw.Finish(aborted)
	a.outcome.answer = out
	return h.conclude(w, r, a, u, rw, verdict{Outcome: out, prepared: p, err: err, aborted: aborted, ctx: ctx})
}

// callNext runs a handler. Caddy's proxy ends a broken stream, and one whose
// client left, with a panic of http.ErrAbortHandler: it is caught here, so that
// the charge ends as it should and the client can be told.
func callNext(next caddyhttp.Handler, w http.ResponseWriter, r *http.Request) (err error, aborted bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			aborted = true
		}
	}()
	return next.ServeHTTP(w, r), false
}

// proxyHandler makes a guest proxy a handler.
type proxyHandler struct{ proxy caddyhttp.MiddlewareHandler }

// ServeHTTP implements caddyhttp.Handler.
func (p proxyHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	return p.proxy.ServeHTTP(w, r, nothingNext)
}

// nothingNext is what stands behind a guest proxy: it answers everything
// itself.
var nothingNext = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
	return caddyhttp.Error(http.StatusBadGateway, errors.New("the guest proxy passed the request on"))
})

// upstreamRequest builds the request for the guest: our path, our headers, our
// body. Nothing of the client's passes but what the allow-list names.
func (h *ModelRoute) upstreamRequest(r *http.Request, a *admission, u *upstreams, p *prepared, body *bodyReader) *http.Request {
	target := *r.URL
	target.Path = u.basePath + a.endpoint.path[len(defaultBasePath):]
	target.RawPath, target.Fragment, target.Opaque = "", "", ""
	target.RawQuery = ""
	if u.API == routing.Anthropic && r.URL.Query().Get("beta") == "true" {
		target.RawQuery = "beta=true"
	}
	header := make(http.Header, 16)
	routing.UpstreamHeader(header, r.Header, routing.Hop{Backend: &u.Backend, RequestID: a.requestID, Changed: !a.route.Same})
	header["Content-Length"] = []string{strconv.FormatInt(p.length, 10)}
	// A nil value tells Caddy's proxy to leave these out: who calls is the
	// house's own business.
	header["X-Forwarded-For"], header["X-Forwarded-Proto"], header["X-Forwarded-Host"] = nil, nil, nil

	req := r
	req.URL = &target
	req.Header = header
	req.Host = ""
	req.RequestURI = ""
	req.Body = body
	req.ContentLength = p.length
	req.TransferEncoding = nil
	req.Trailer = nil
	req.GetBody = func() (io.ReadCloser, error) { return a.body.open(p.pieces), nil }
	return req
}

// answerHeader builds the header of a passed answer.
func (h *ModelRoute) answerHeader(dst, src http.Header, a *admission, u *upstreams, status int) {
	routing.ClientHeader(dst, src, &u.Backend, a.dialect, status)
	a.setAnswerHeader(dst)
}

// verdict is how the attempt ended.
type verdict struct {
	respw.Outcome
	prepared *prepared
	err      error
	aborted  bool
	ctx      context.Context //nolint:containedctx // lives as long as the attempt
}

// conclude ends the charge and, where nothing was sent yet, answers.
func (h *ModelRoute) conclude(w http.ResponseWriter, r *http.Request, a *admission, u *upstreams, rw *respw.Writer, v verdict) error {
	a.outcome.status, a.outcome.firstByte = v.Status, v.FirstByte
	switch {
	case v.ClientGone || r.Context().Err() != nil:
		return a.clientLeft(r, v)
	case !v.Committed:
		metrics.upstreamFail(u.Name, v.kind())
		return h.refuseFor(w, r, a, u, v)
	case v.ok():
		a.outcome.word = "ok"
		a.keep("answered")
		return nil
	case v.Stream && v.Content && errors.Is(v.ctx.Err(), context.DeadlineExceeded):
		return a.tookTooLong(rw)
	default:
		metrics.upstreamFail(u.Name, "reset")
		return a.brokeOff(r, u, rw, v)
	}
}

// ok reports whether the answer is whole.
func (v *verdict) ok() bool {
	if v.Stream {
		return v.Complete && !v.Failed
	}
	return !v.aborted && v.err == nil
}

// kind names the failure of an attempt that sent nothing, for the metric.
func (v *verdict) kind() string {
	switch {
	case v.Status >= http.StatusBadRequest:
		return "status"
	case v.Empty:
		return "empty"
	case v.Status != 0:
		return "reset"
	case errors.Is(v.err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "connect"
	}
}

// clientLeft ends the charge of a request whose client is gone.
func (a *admission) clientLeft(r *http.Request, v verdict) error {
	a.outcome.word = "client_gone"
	if a.outcome.status == 0 || !v.Committed {
		a.outcome.status = statusClientGone
	}
	if v.Content || v.Committed && !v.Stream {
		a.keep("client left during the answer")
	} else {
		a.giveBack(r.Context(), quota.Abandon, "refunded: client left before the answer")
	}
	if v.aborted {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// statusClientGone is the status in log and metrics where the client left
// before it could be told any (nginx's, which Caddy uses too).
const statusClientGone = 499

// tookTooLong ends an answer that reached the tier's max_duration. What was said
// until then is charged: the limit is the plan's, not a fault.
func (a *admission) tookTooLong(rw *respw.Writer) error {
	a.outcome.word = "max_duration"
	a.keep("answered up to max_duration")
	a.outcome.refusal = apierr.TookTooLong(a.tier.name, a.tier.maxDuration)
	if rw.AppendError(apierr.AppendEvent(nil, a.dialect, a.outcome.refusal, a.requestID)) != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// brokeOff ends a request whose answer broke off on the way: the client is told
// in its own dialect, and never gets a clean end.
func (a *admission) brokeOff(r *http.Request, u *upstreams, rw *respw.Writer, v verdict) error {
	a.outcome.word = "upstream_error"
	returned := a.giveBack(r.Context(), quota.GiveBack, "refunded: the answer broke off")
	if !v.Stream {
		panic(http.ErrAbortHandler)
	}
	broke := apierr.StreamBroke(a.route.Model, !returned)
	a.outcome.refusal = broke
	event := apierr.AppendEvent(nil, a.dialect, broke, a.requestID)
	if v.Failure != nil && u.API == routing.Anthropic && !anthropic.Refused(v.Failure) {
		// Claude's own words: the client knows them.
		event = sse.AppendEvent(nil, "error", v.Failure)
	}
	if err := rw.AppendError(event); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// refuseFor answers for an attempt that sent the client nothing.
func (h *ModelRoute) refuseFor(w http.ResponseWriter, r *http.Request, a *admission, u *upstreams, v verdict) error {
	a.outcome.word = "upstream_error"
	switch {
	case v.Status >= http.StatusBadRequest:
		pass, e := routing.Refusal(v.answer(a, v.Status, v.Captured), &u.Backend, a.dialect)
		a.giveBack(r.Context(), quota.GiveBack, fmt.Sprintf("refunded: upstream %d", v.Status))
		if pass {
			return h.passError(w, a, u, v)
		}
		return a.refuse(w, r, e)
	case v.Failed && anthropic.Refused(v.Failure):
		return a.refuse(w, r, apierr.UpstreamAuth())
	case v.Failed && u.API == routing.Anthropic && v.Failure != nil:
		// Claude says in its stream what it could have said with a status.
		a.giveBack(r.Context(), quota.GiveBack, "refunded: error event of the upstream")
		v.Status, v.Captured = anthropic.StatusOf(v.Failure), v.Failure
		return h.passError(w, a, u, v)
	case v.Failed:
		// An inference server's own words hold its internals.
		cause := fmt.Errorf("error event of %d bytes before any content", len(v.Failure))
		return a.refuse(w, r, apierr.BackendDown(a.route.Model).Because(cause))
	case errors.Is(v.ctx.Err(), context.DeadlineExceeded):
		return a.refuse(w, r, apierr.BackendDown(a.route.Model).Because(context.DeadlineExceeded))
	case v.Status != 0:
		return a.refuse(w, r, apierr.BackendDown(a.route.Model).Because(fmt.Errorf("answer of status %d without content", v.Status)))
	default:
		h.logger.Warn("backend cannot be reached", zapBackend(u.Name), zap.Error(v.err))
		return a.refuse(w, r, apierr.BackendDown(a.route.Model).Because(v.err))
	}
}

// answer is what the upstream said instead of an answer.
func (v *verdict) answer(a *admission, status int, body []byte) routing.Answer {
	return routing.Answer{
		Status: status, Header: v.CapturedHeader, Body: body, Model: a.facts.Model,
		RequestBytes: v.prepared.length, MaxTokens: v.prepared.notes.MaxTokens, ContextLength: v.prepared.context,
	}
}

// passError hands the upstream's error to the client as it came: clients match
// the provider's own wording.
func (h *ModelRoute) passError(w http.ResponseWriter, a *admission, u *upstreams, v verdict) error {
	header := w.Header()
	h.answerHeader(header, v.CapturedHeader, a, u, v.Status)
	if len(header["Content-Type"]) == 0 {
		header["Content-Type"] = []string{"application/json"}
	}
	a.outcome.status = v.Status
	header["Content-Length"] = []string{strconv.Itoa(len(v.Captured))}
	w.WriteHeader(v.Status)
	_, _ = w.Write(v.Captured)
	return nil
}

// setAnswerHeader adds what every answer of a model carries.
func (a *admission) setAnswerHeader(h http.Header) {
	values := make(headerValues, 0, 5)
	if len(h["Request-Id"]) == 0 {
		values.set(h, "Request-Id", a.requestID)
	}
	if a.dialect == dialect.OpenAI && len(h["X-Request-Id"]) == 0 {
		values.set(h, "X-Request-Id", a.requestID)
	}
	values.set(h, "Cache-Control", "no-store")
	values.set(h, "X-Llm-Gateway-Model", a.route.Model)
	values.set(h, "X-Llm-Gateway-Route", a.route.Backend+"; reason="+string(a.route.Reason))
	a.setQuotaHeader(h)
}
