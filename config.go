package llmgateway

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// Tier is one plan: what its people may use, how much of it, and where their
// requests go. Both handlers take the same list; each reads its own fields.
type Tier struct {
	// The word that tokens carry and people read as their plan.
	Name string `json:"name"`

	// How much the tier may use. Several limits hold at once. Default: none
	// but the one of a default tier; a tier without a limit is an error.
	Limits []Limit `json:"limits,omitempty"`

	// When calendar windows begin. Default: 00:00 UTC.
	Reset *Reset `json:"reset,omitempty"`

	// How many requests of one subject may run at once; -1 is unlimited.
	// Default: 4 for free, 8 for pro, 32 for enterprise, else 8.
	InFlight int `json:"in_flight,omitempty"`

	// The most tokens that one answer may have: larger requests are clamped.
	// Default: no clamp.
	MaxTokens int64 `json:"max_tokens,omitempty"`

	// How long one answer may take. Default: no limit.
	MaxDuration caddy.Duration `json:"max_duration,omitempty"`

	// The wall: `<backend>` or `<backend>/<glob>`. Nothing outside it is ever
	// reached, whatever routes and names say.
	Allow []string `json:"allow,omitempty"`

	// Where asked models go; the first rule that matches wins.
	Routes []RouteRule `json:"routes,omitempty"`

	// The model that answers for names nobody mentioned. Default: refuse and
	// list what is allowed.
	Default string `json:"default,omitempty"`

	// Lets the default leave the house, to an external backend.
	DefaultExternal bool `json:"default_external,omitempty"`
}

// Limit is an amount of a unit in a window.
type Limit struct {
	// How many units; -1 is unlimited (counted, never refused).
	Amount int64 `json:"amount"`
	// What is counted. This version counts `requests`.
	Unit string `json:"unit"`
	// The window. This version knows `day`.
	Per string `json:"per"`
}

// Reset is the wall-clock time at which calendar windows begin.
type Reset struct {
	// HH:MM, 24 hours. Default: 00:00.
	At string `json:"at,omitempty"`
	// An IANA zone. Default: UTC.
	Zone string `json:"zone,omitempty"`
}

// RouteRule sends asked models to one target.
type RouteRule struct {
	// Globs of asked names; `*` matches anything, also `/`.
	Match []string `json:"match"`
	// A model or public name, or `<backend>/<model>`; not a glob.
	To string `json:"to"`
}

// Backend is a named place where models run: an API, its addresses and the
// names that live there.
type Backend struct {
	// The word that walls, logs and headers use.
	Name string `json:"name"`

	// `vllm`, `openai_compatible`, `openai` or `anthropic`.
	API string `json:"api"`

	// Where it is; placeholders allowed. A path is the API's base path
	// (`http://vllm:8000/v1`); without one it is `/v1`. Several URLs are
	// replicas and must agree in scheme and path. Default for `anthropic` and
	// `openai`: the public API. Leave empty where `proxy` has upstreams.
	URLs []string `json:"urls,omitempty"`

	// Globs of the models that live here. Default: what the backend lists for
	// `vllm` and `openai_compatible`; `claude-*` for `anthropic`; `gpt-*`,
	// `o1*`, `o3*`, `o4*`, `chatgpt-*` for `openai`.
	Models []string `json:"models,omitempty"`

	// Public names beside the models' own.
	Names []ModelName `json:"names,omitempty"`

	// The key of this backend, sent in that API's own header and nowhere else.
	// Placeholders allowed; a literal is refused outside `dev`.
	Key string `json:"key,omitempty"`

	// An empty key switches the backend off instead of failing the load.
	KeyOptional bool `json:"key_optional,omitempty"`

	// The API's base path where `proxy` has the upstreams. Default: /v1.
	BasePath string `json:"base_path,omitempty"`

	// vllm: send /v1/messages as it is to vLLM's own route.
	NativeMessages bool `json:"native_messages,omitempty"`

	// Prompts leave the house. Default: true for `anthropic` and `openai`.
	External *bool `json:"external,omitempty"`

	// Members of the danger list that may pass to this backend.
	Fields []string `json:"fields,omitempty"`

	// Everything else about the proxy: upstreams, load balancing, health
	// checks, transport. The gateway adds what streaming and keep-alive need.
	ProxyRaw json.RawMessage `json:"proxy,omitempty" caddy:"namespace=http.handlers inline_key=handler"`
}

// ModelName is a public name and the id that the upstream is sent for it.
type ModelName struct {
	Public   string `json:"public"`
	Upstream string `json:"upstream"`
}

// MetricsConfig bounds what the metrics say about people.
type MetricsConfig struct {
	// How many people have a series of gateway_quota_used; the rest is summed
	// as "other". 0 switches the label off. Default: 1000.
	UserSeries *int `json:"user_series,omitempty"`
	// What names them: `sub`, `username` or `hash`. Default: sub.
	UserLabel string `json:"user_label,omitempty"`
}

// AuthQuota is the handler `llm_auth_quota`: who is calling, on which tier, and
// may they still use it?
type AuthQuota struct {
	// Where credentials are checked. Which verifier is asked is decided by the
	// credential's shape alone. At least one is required.
	AuthRaw []json.RawMessage `json:"auth,omitempty" caddy:"namespace=llm_gateway.auth inline_key=verifier"`

	// Where charges are counted. Required.
	QuotaRaw json.RawMessage `json:"quota,omitempty" caddy:"namespace=llm_gateway.quota inline_key=store"`

	// The plans, in ascending order: of several tiers in one token the one
	// that stands last here wins. Default: free 10, pro 1,000 and enterprise
	// unlimited requests a day.
	Tiers []Tier `json:"tiers,omitempty"`

	// Where people reach this gateway, for links in texts. Default: the
	// request's host where the site names its hosts, else no links.
	PublicURL string `json:"public_url,omitempty"`

	// The largest request body. Default: 32 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	// All bodies in memory together. Default: 256 MiB.
	BodyBudget int64 `json:"body_budget,omitempty"`

	// What the metrics say about people.
	Metrics *MetricsConfig `json:"metrics,omitempty"`

	// Accept an access log without `format llm_safe` on this site.
	UnsafeLog bool `json:"unsafe_log,omitempty"`

	// Switch the page at GET / off.
	OnboardingOff bool `json:"onboarding_off,omitempty"`

	// How long a charge outlives a gateway that was killed before it comes
	// back. Running requests prolong theirs, so an answer may take longer.
	// Default: 60s.
	Lease caddy.Duration `json:"lease,omitempty"`

	// The next handler is llm_model_route: it resolves the route before the
	// charge is taken, and completes /quota, /v1/models and /readyz. The
	// llm_gateway block sets it. Default: this handler takes the charge itself.
	Routed bool `json:"routed,omitempty"`

	authQuotaState
}

// ModelRoute is the handler `llm_model_route`: which model, on which backend?
type ModelRoute struct {
	// Where models run. Without one the handler only sets placeholders and
	// calls the next handler.
	Backends []Backend `json:"backends,omitempty"`

	// The plans; see llm_auth_quota. Default: the mission's three tiers and
	// routes, derived from the backends by API.
	Tiers []Tier `json:"tiers,omitempty"`

	modelRouteState
}

// App is what sites and reloads share. It needs no configuration; the global
// option of the same name gives defaults to every llm_gateway block.
type App struct {
	appState
}
