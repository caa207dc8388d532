package llmgateway

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/routing"
)

// modelRouteState is what ModelRoute holds beside its configuration.
type modelRouteState struct {
	logger   *zap.Logger
	table    *routing.Table
	backends map[string]*upstreams
}

// CaddyModule returns the Caddy module information.
func (*ModelRoute) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.llm_model_route",
		New: func() caddy.Module { return new(ModelRoute) },
	}
}

// Provision implements caddy.Provisioner. It does no network I/O.
func (h *ModelRoute) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.backends = make(map[string]*upstreams, len(h.Backends))
	app, err := loadApp(ctx)
	if err != nil {
		return err
	}
	var known []routing.Backend
	for i := range h.Backends {
		b := &h.Backends[i]
		u, err := provisionBackend(ctx, h, b)
		if err != nil {
			return fmt.Errorf("backend %s: %w", b.Name, err)
		}
		if h.backends[b.Name] != nil {
			return fmt.Errorf("backend %s stands twice", b.Name)
		}
		h.backends[b.Name] = u
		known = append(known, u.Backend)
	}
	if err := h.buildTable(known); err != nil {
		return err
	}
	for _, u := range h.backends {
		if !u.Disabled {
			app.addLearner(newLearner(u, h.table, h.logger))
		}
	}
	return nil
}

// buildTable compiles the tier table. Without backends the next handler is the
// one place where models run.
func (h *ModelRoute) buildTable(known []routing.Backend) error {
	if len(known) == 0 {
		known = []routing.Backend{{Name: nextBackend, API: routing.OpenAICompatible, Models: []string{"*"}, Explicit: true}}
	}
	var tiers []routing.Tier
	var warnings []string
	if len(h.Tiers) == 0 {
		tiers, warnings = routing.DefaultTiers(known)
	}
	for i := range h.Tiers {
		tiers = append(tiers, h.Tiers[i].routing(len(h.Backends) == 0))
	}
	table, errs, more := routing.NewTable(known, tiers)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, w := range append(warnings, more...) {
		h.logger.Warn("routing: " + w)
	}
	h.table = table
	return nil
}

// nextBackend is the name of the next handler where no backend is configured.
const nextBackend = "next"

// routing returns the part of a tier that routing knows.
func (t *Tier) routing(alone bool) routing.Tier {
	r := routing.Tier{Name: t.Name, Allow: t.Allow, Default: t.Default, DefaultExternal: t.DefaultExternal}
	if alone && len(r.Allow) == 0 {
		r.Allow = []string{nextBackend}
	}
	for _, rule := range t.Routes {
		r.Rules = append(r.Rules, routing.Rule(rule))
	}
	return r
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *ModelRoute) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	a := admissionFrom(r.Context())
	if a == nil {
		return caddyhttp.Error(http.StatusInternalServerError,
			errors.New("llm_model_route has no llm_auth_quota in front of it, so nobody is known to call"))
	}
	switch a.endpoint.kind {
	case kindReady:
		return h.serveReady(w, r)
	case kindModels:
		return h.serveModels(w, r, a)
	case kindQuota:
		return a.site.writeQuota(w, r, a, h.table.Visible(a.principal.Tier))
	case kindInference, kindCount:
		return h.serveRoute(w, r, a, next)
	default:
		return next.ServeHTTP(w, r)
	}
}

// serveRoute resolves the model, takes the charge and lets the backend answer.
func (h *ModelRoute) serveRoute(w http.ResponseWriter, r *http.Request, a *admission, next caddyhttp.Handler) error {
	a.sent = false // llm_auth_quota may have passed it on, but it goes no further yet
	rt, err := h.table.Resolve(a.principal.Tier, a.facts.Model)
	if err != nil {
		a.denied, a.deniedPattern = true, deniedPattern(err)
		return a.refuse(w, r, a.denial(err))
	}
	a.route, a.routed = rt, true
	u := h.backends[rt.Backend]
	if u == nil {
		return h.serveNext(w, r, a, next)
	}
	if !u.Speaks(a.dialect) {
		if a.endpoint.kind == kindCount {
			return serveEstimate(w, r, a)
		}
		return a.refuse(w, r, apierr.DialectMismatch(a.route.Model, otherEndpoint(a.dialect)))
	}
	pieces, e := h.prepare(a, u)
	if e != nil {
		return a.refuse(w, r, e)
	}
	if e := a.reserve(r.Context()); e != nil {
		return a.refuse(w, r, e)
	}
	return h.forward(w, r, a, u, pieces)
}

// deniedPattern is the bounded name of what was asked, for the metric.
func deniedPattern(err error) string {
	var denied *routing.Denial
	if errors.As(err, &denied) {
		return denied.Pattern
	}
	return routing.LabelOther
}

// denial words a refusal of the table.
func (a *admission) denial(err error) *apierr.Error {
	var denied *routing.Denial
	if !errors.As(err, &denied) {
		return apierr.Internal(err)
	}
	if errors.Is(err, routing.ErrUnknown) {
		return apierr.ModelUnknown(denied.Asked, denied.Allowed)
	}
	return apierr.ModelDenied(denied.Tier, denied.Asked, denied.Allowed, a.base)
}

// otherEndpoint names where a model that speaks the other dialect is asked.
func otherEndpoint(d dialect.Dialect) string {
	if d == dialect.Anthropic {
		return "/v1/chat/completions"
	}
	return "/v1/messages"
}
