package llmgateway

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/queue"
	"github.com/openova-io/llm-gateway/quota"
)

// Defaults of llm_auth_quota.
const (
	defaultMaxBody    = 32 << 20
	defaultBodyBudget = 256 << 20

	// bodyWait is how long a body may wait for room before it is refused.
	bodyWait = 2 * time.Second

	// countBodies is how many count_tokens bodies of one subject may be read
	// at once: Claude Code's /context sends 35.
	countBodies = 64

	// waitingBodies is how many requests of one subject may wait for a place;
	// the next is refused at once.
	waitingBodies = 256
)

// authQuotaState is what AuthQuota holds beside its configuration.
type authQuotaState struct {
	logger    *zap.Logger
	requests  *zap.Logger
	verifiers auth.Chain
	quota     quota.Guest
	engineKey string
	engine    *sharedEngine
	tiers     map[string]*compiledTier
	gate      *queue.Gate
	now       func() time.Time
}

// CaddyModule returns the Caddy module information.
func (*AuthQuota) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.llm_auth_quota",
		New: func() caddy.Module { return new(AuthQuota) },
	}
}

// Provision implements caddy.Provisioner. It does no network I/O.
func (h *AuthQuota) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	warnOfAccessLog(ctx, h.logger, h.UnsafeLog)
	h.requests = h.logger.Named("request")
	h.now = time.Now
	h.MaxBody = cmp.Or(h.MaxBody, defaultMaxBody)
	h.BodyBudget = cmp.Or(h.BodyBudget, max(defaultBodyBudget, h.MaxBody))
	if h.BodyBudget < h.MaxBody {
		return fmt.Errorf("body_budget %d is less than max_body %d, so the largest body could never be read", h.BodyBudget, h.MaxBody)
	}
	h.gate = queue.NewGate(h.BodyBudget, waitingBodies)
	var names []string
	var err error
	if h.tiers, names, err = compileTiers(h.Tiers); err != nil {
		return err
	}
	app, err := loadApp(ctx)
	if err != nil {
		return err
	}
	if err := h.provisionMetrics(); err != nil {
		return err
	}
	if err := h.provisionAuth(ctx, app, names); err != nil {
		return err
	}
	return h.provisionQuota(ctx, app)
}

// loadApp returns the app that sites and reloads share, making an empty one
// where the configuration has none.
func loadApp(ctx caddy.Context) (*App, error) {
	app, err := ctx.App("llm_gateway")
	if err != nil {
		return nil, fmt.Errorf("loading app llm_gateway: %w", err)
	}
	return app.(*App), nil
}

func (h *AuthQuota) provisionMetrics() error {
	bound := defaultUserSeries
	if h.Metrics != nil && h.Metrics.UserSeries != nil {
		bound = *h.Metrics.UserSeries
	}
	if h.Metrics != nil {
		switch h.Metrics.UserLabel {
		case "", "sub", "username", "hash":
		default:
			return fmt.Errorf("metrics: user_label %q is not known; use sub, username or hash", h.Metrics.UserLabel)
		}
	}
	if bound < 0 {
		return fmt.Errorf("metrics: user_series %d is negative; 0 switches the label off", bound)
	}
	metrics.quotaUsed.setBound(bound)
	return nil
}

func (h *AuthQuota) provisionAuth(ctx caddy.Context, app *App, tiers []string) error {
	if len(h.AuthRaw) == 0 {
		return fmt.Errorf("no auth: nobody could call; add a line such as: auth keycloak {env.KEYCLOAK_URL}")
	}
	loaded, err := ctx.LoadModule(h, "AuthRaw")
	if err != nil {
		return fmt.Errorf("loading auth: %w", err)
	}
	for _, m := range loaded.([]any) {
		guest, ok := m.(auth.Guest)
		if !ok {
			return fmt.Errorf("auth: %T is not a verifier", m)
		}
		if err := guest.Bind(auth.Site{Tiers: tiers, Logger: h.logger, Now: h.now}); err != nil {
			return fmt.Errorf("auth: %w", err)
		}
		app.addVerifier(guest)
		h.verifiers = append(h.verifiers, guest)
	}
	return nil
}

func (h *AuthQuota) provisionQuota(ctx caddy.Context, app *App) error {
	if h.QuotaRaw == nil {
		return fmt.Errorf("no quota: nothing would be counted; add a line such as: quota redis {env.QUOTA_REDIS_URL}")
	}
	loaded, err := ctx.LoadModule(h, "QuotaRaw")
	if err != nil {
		return fmt.Errorf("loading quota: %w", err)
	}
	guest, ok := loaded.(quota.Guest)
	if !ok {
		return fmt.Errorf("quota: %T is not a store", loaded)
	}
	h.quota = guest
	if s, ok := loaded.(opener); ok {
		app.addStore(s)
	}
	options := quota.Options{
		Store: guest.Store(), Now: h.now, Logger: h.logger, Lease: time.Duration(h.Lease),
		// A store in this process is told at once, so that kill -9 loses nothing.
		Inline: guest.Kind() == "embedded",
	}
	if timed, ok := loaded.(quota.Timed); ok {
		options.StoreTimeout = timed.StoreTimeout()
	}
	key := fmt.Sprint(guest.Key(), " ", options.Lease, " ", options.StoreTimeout)
	engine, err := leaseEngine(key, options)
	if err != nil {
		return err
	}
	h.engineKey, h.engine = key, engine
	return nil
}

// Cleanup implements caddy.CleanerUpper. It is called on half-provisioned
// handlers too.
func (h *AuthQuota) Cleanup() error {
	if h.engine == nil {
		return nil
	}
	_, err := engines.Delete(h.engineKey)
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *AuthQuota) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	a := h.newAdmission(r)
	r = r.WithContext(context.WithValue(r.Context(), admissionKey{}, a))
	if e := checkTarget(a.endpoint, r); e != nil {
		return a.refuse(w, r, e)
	}
	switch {
	case r.Method == http.MethodOptions:
		return serveOptions(w, a.endpoint)
	case a.endpoint.kind.public():
		return h.servePublic(w, r, a, next)
	}
	if a.endpoint.kind == kindInference {
		metrics.streams.Inc()
	}
	h.engine.busy.Add(1)
	defer h.engine.busy.Add(-1)
	defer a.finish(r)
	if e := h.identify(a, r); e != nil {
		return a.refuse(w, r, e)
	}
	switch a.endpoint.kind {
	case kindQuota:
		return h.serveQuota(w, r, a, next)
	case kindModels:
		return next.ServeHTTP(w, r)
	default:
		return h.serveInference(w, r, a, next)
	}
}

// identify establishes who calls and takes the credential out of the request
// for good.
func (h *AuthQuota) identify(a *admission, r *http.Request) *apierr.Error {
	token, refused := auth.FromHeader(r.Header)
	auth.Strip(r.Header)
	if refused != nil {
		return a.authRefusal(refused)
	}
	principal, err := h.verifiers.Verify(r.Context(), token)
	if err != nil {
		return a.authRefusal(err)
	}
	tier := h.tiers[principal.Tier]
	if tier == nil {
		return apierr.NoTier()
	}
	a.principal, a.tier = principal, tier
	return nil
}

// serveInference answers requests that carry a body for a model.
func (h *AuthQuota) serveInference(w http.ResponseWriter, r *http.Request, a *admission, next caddyhttp.Handler) error {
	if recent := h.engine.Recent(a.principal.Subject); recent != nil && a.endpoint.kind == kindInference {
		return a.refuse(w, r, h.refusalOf(a, recent))
	}
	if e := h.readBody(a, r); e != nil {
		return a.refuse(w, r, e)
	}
	defer a.body.release()
	if isQuotaProbe(a) {
		return h.serveQuotaProbe(w, r, a)
	}
	if h.Routed {
		return next.ServeHTTP(w, r)
	}
	return h.serveAlone(w, r, a, next)
}
