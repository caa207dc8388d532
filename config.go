package llmgateway

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// Tier is one plan: what its people may use, how much of it, and where their
// requests go. llm_auth_quota reads name, limits, reset, in_flight, max_tokens
// and max_duration, llm_model_route name, allow, routes and default: give both
// the same list, as the llm_gateway block does.
type Tier struct {
	// The word that tokens carry and people read as their plan, for example
	// `free`. It is a label of the metrics. Required, once in the list.
	Name string `json:"name"`

	// How much one subject of the tier may use. All limits hold at once; a
	// request is charged in each of them or, where one is spent, in none.
	// Required: a tier without a limit is an error, `-1` is unlimited.
	Limits []Limit `json:"limits,omitempty"`

	// When the days of the limits begin. Default: 00:00 UTC.
	Reset *Reset `json:"reset,omitempty"`

	// How many requests of one subject may run at once, streams until their
	// end, and how many of its bodies may be read at once; `-1` is unlimited.
	// One more waits up to 2 s for a place and is then refused with 429.
	// Default: 4 for the tier free, 8 for pro, 32 for enterprise, 8 for others.
	InFlight int `json:"in_flight,omitempty"`

	// The most tokens that one answer may have. A request for more is not
	// refused but lowered to it, since clients ask for far more than they
	// need; a chat request without a limit gets it. Default: 0, what the model
	// can write.
	MaxTokens int64 `json:"max_tokens,omitempty"`

	// How long one answer may take, from the moment the backend is asked. A
	// stream that is cut so ends with an error event, and its charge is given
	// back. Default: 0, no limit.
	MaxDuration caddy.Duration `json:"max_duration,omitempty"`

	// The wall: each entry is `<backend>` for all of its models or
	// `<backend>/<glob>` for some. Nothing outside is ever reached, whatever
	// routes, defaults and public names say. Default: nothing, so that every
	// request is refused; without backends everything.
	Allow []string `json:"allow,omitempty"`

	// Where asked models go, for names that shall not be answered by the model
	// of that name. The first rule that matches wins. Default: none.
	Routes []RouteRule `json:"routes,omitempty"`

	// The model that answers where no rule matches and the asked one lies
	// outside the wall or nowhere: a name as in `to` of a rule. Default: none;
	// such requests are refused with a list of what is allowed.
	Default string `json:"default,omitempty"`

	// Lets Default leave the house, to an external backend; without it such a
	// default is an error. Default: false.
	DefaultExternal bool `json:"default_external,omitempty"`
}

// Limit is an amount of a unit in a window. No two of a tier may have the same
// unit and window.
type Limit struct {
	// How many units are admitted in one window, exactly, over all replicas on
	// one store. 0 admits none; `-1` is unlimited: counted, never refused.
	Amount int64 `json:"amount"`

	// What is counted. This version counts `requests`: one for each answered
	// request for a model. Lists, quota pages and count_tokens are free.
	Unit string `json:"unit"`

	// The window. This version knows `day`: a calendar day from Reset to Reset.
	Per string `json:"per"`
}

// Reset is the wall-clock time at which calendar windows begin.
type Reset struct {
	// The time of day as `HH:MM`, 24 hours. Where the clocks of the zone skip
	// it, the first moment after it counts. Default: `00:00`.
	At string `json:"at,omitempty"`

	// An IANA zone, for example `Europe/Berlin`. A day that is running when
	// this changes keeps its end. Default: `UTC`.
	Zone string `json:"zone,omitempty"`
}

// RouteRule sends asked models to one target.
type RouteRule struct {
	// Globs of asked names, at least one; `*` matches anything, also nothing
	// and `/`. Case matters.
	Match []string `json:"match"`

	// The model that answers: its own or its public name, or
	// `<backend>/<model>`. It must lie inside the tier's wall and may not be a
	// glob.
	To string `json:"to"`
}

// Backend is a named place where models run: an API, its addresses and the
// names that live there.
type Backend struct {
	// The word that walls, log lines, metrics and the header
	// `x-llm-gateway-route` use, for example `internal`. Required, once in the
	// list.
	Name string `json:"name"`

	// What it speaks: `vllm`, `openai_compatible`, `openai` or `anthropic`. It
	// decides path, key header, which of a client's headers pass and what is
	// refused. Required.
	API string `json:"api"`

	// Where it is, `http://` or `https://`. A path is the API's base path
	// (`http://vllm:8000/v1`); without one it is `/v1`. Several URLs are
	// replicas of one backend and must agree in scheme and path; a connection
	// that is refused is tried at another. Placeholders are allowed. Default:
	// the public API for `anthropic` and `openai`; required for the others
	// unless `proxy` has the upstreams.
	URLs []string `json:"urls,omitempty"`

	// Globs of the models that live here. They beat the defaults of other
	// backends; the same glob in two backends is an error. Default: what the
	// backend itself lists, asked in the background, for `vllm` and
	// `openai_compatible`; `claude-*` for `anthropic`; `gpt-*`, `o1*`, `o3*`,
	// `o4*` and `chatgpt-*` for `openai`.
	Models []string `json:"models,omitempty"`

	// Names that clients may ask for beside the models' own. They are looked
	// up before anything else. An `anthropic` backend answers to the retired
	// names `claude-3-haiku`, `claude-3-sonnet` and `claude-3-opus` by itself.
	// Default: none.
	Names []ModelName `json:"names,omitempty"`

	// The key of this backend, sent in that API's own header and to nobody
	// else. Write a placeholder: `{env.NAME}` is read at load, a
	// `{file./run/secrets/name}` again every two seconds, so that a rotated
	// key needs no reload. A Caddyfile with a key in clear does not load.
	// Default: no key is sent.
	Key string `json:"key,omitempty"`

	// Lets an empty key switch the backend off, with the routes that lead to
	// it, instead of failing the load. Default: false.
	KeyOptional bool `json:"key_optional,omitempty"`

	// The API's base path where `proxy` has the upstreams. Default: `/v1`.
	BasePath string `json:"base_path,omitempty"`

	// Sends Messages requests to vLLM's own route, as they are; for `vllm`
	// only. Without it Anthropic clients are refused with the endpoint that has
	// the model. Default: false.
	NativeMessages bool `json:"native_messages,omitempty"`

	// Says that prompts sent here leave the house: no default leads here
	// without the word. Default: true for `anthropic` and `openai`, else false.
	External *bool `json:"external,omitempty"`

	// Members of a request's body that may pass although they are refused
	// towards inference servers (`chat_template`, `priority` and the like),
	// each with a `+` in front. Default: none.
	Fields []string `json:"fields,omitempty"`

	// Everything else about the way there, as Caddy's `reverse_proxy` takes
	// it: upstreams, load balancing, health checks, transport. What is left out
	// gets what long streams need: no proxy from the environment, no
	// compression, room for 1,024 idle connections per host, kept for 4 s
	// towards inference servers and 90 s towards public APIs. Default: the URLs
	// alone, by least connections.
	ProxyRaw json.RawMessage `json:"proxy,omitempty" caddy:"namespace=http.handlers inline_key=handler"`
}

// ModelName is a public name and the id that the upstream is sent for it.
type ModelName struct {
	// What clients ask for: up to 256 of the bytes `A-Za-z0-9._:/@+-`. Headers,
	// lists and metrics show it. Required, once over all backends.
	Public string `json:"public"`

	// The id that the backend is sent. Required.
	Upstream string `json:"upstream"`
}

// MetricsConfig bounds what the metrics say about people.
type MetricsConfig struct {
	// How many people have a series of `gateway_quota_used`, the most recent
	// ones; the rest is summed as `other`. It bounds memory and the scraper's
	// work. 0 switches the label off. Default: 1000.
	UserSeries *int `json:"user_series,omitempty"`

	// What names them: `sub`, the id that the identity provider shows;
	// `username`; or `hash`, the subject as in log lines. Default: `sub`.
	UserLabel string `json:"user_label,omitempty"`
}

// AuthQuota is the handler `llm_auth_quota`: who is calling, on which tier, and
// may they still use it? It serves the gateway's own endpoints (health, quota,
// set-up page), takes the credential out of every other request and refuses what
// is no endpoint.
//
// With llm_model_route behind it (`routed`) the charge is taken when the route
// is known. Alone it takes the charge itself, judges by the status of whatever
// handler stands behind it (400 and above gives the charge back), and sets:
//
// Placeholder | Description
// ------------|------------
// `{http.vars.llm_tier}` | The caller's tier
// `{http.vars.llm_subject}` | The caller, as log lines and the store name them
// `{http.vars.llm_model_from}` | The model that was asked for
type AuthQuota struct {
	// Where credentials are checked: `keycloak`, `users`. Several may stand side
	// by side; which one is asked is decided by the credential's shape alone.
	// Required.
	AuthRaw []json.RawMessage `json:"auth,omitempty" caddy:"namespace=llm_gateway.auth inline_key=verifier"`

	// Where charges are counted: `redis` for any number of replicas, `embedded`
	// for one process. Required.
	QuotaRaw json.RawMessage `json:"quota,omitempty" caddy:"namespace=llm_gateway.quota inline_key=store"`

	// The plans, in ascending order: of several tiers in one place of a token
	// the one that stands last here wins. Any tier replaces the default ones.
	// Default: free with 10, pro with 1,000 and enterprise with unlimited
	// requests a day.
	Tiers []Tier `json:"tiers,omitempty"`

	// Where people reach this gateway, `https://llm.example.com`, for links in
	// its texts. Default: the name that the TLS certificate answered for, or
	// loopback; else texts have no links. A Host header never becomes a link.
	PublicURL string `json:"public_url,omitempty"`

	// The largest request body, in bytes; more is refused with 413. Default:
	// 32 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	// All bodies of this site in memory together, in bytes, at least max_body.
	// One more waits up to 2 s for room and is then refused as by a full
	// backend. Default: 256 MiB, or max_body if that is more.
	BodyBudget int64 `json:"body_budget,omitempty"`

	// What the metrics say about people. Default: see MetricsConfig.
	Metrics *MetricsConfig `json:"metrics,omitempty"`

	// Accepts an access log of this site without `format llm_safe`, and ends
	// the warning about it. Such a log holds credentials. Default: false.
	UnsafeLog bool `json:"unsafe_log,omitempty"`

	// Switches the page at `GET /` off that says how to set up a client.
	// Default: false.
	OnboardingOff bool `json:"onboarding_off,omitempty"`

	// How long a charge outlives a gateway that was killed before it comes
	// back. Running requests prolong theirs every third of it, so an answer may
	// take longer. Default: 60s.
	Lease caddy.Duration `json:"lease,omitempty"`

	// Says that llm_model_route is the next handler: it resolves the route
	// before the charge is taken, and completes `/quota`, `/v1/models` and
	// `/readyz`. The llm_gateway block sets it. Default: false.
	Routed bool `json:"routed,omitempty"`

	authQuotaState
}

// ModelRoute is the handler `llm_model_route`: which model, on which backend? It
// needs llm_auth_quota in front of it.
//
// With backends it answers every request for a model itself. Without one it
// resolves the tier's routes, puts the model into the body, calls the next
// handler and sets, besides what llm_auth_quota sets:
//
// Placeholder | Description
// ------------|------------
// `{http.vars.llm_model}` | The model that the next handler is sent
// `{http.vars.llm_backend}` | `next`
type ModelRoute struct {
	// Where models run, in the order in which equal claims on a name are
	// settled. Default: none; the next handler is the one place.
	Backends []Backend `json:"backends,omitempty"`

	// The plans, the same list as that of llm_auth_quota. Default: free
	// reaches internal backends, pro these and Claude Haiku, enterprise all,
	// with routes derived from the backends by API.
	Tiers []Tier `json:"tiers,omitempty"`

	modelRouteState
}

// App is what sites and reloads share: it starts and stops the verifiers and
// the background work of all llm_gateway handlers. It needs no configuration
// and is there by itself where a handler is. The global option of the same name
// leaves nothing here: it gives sections to the blocks of the sites.
type App struct {
	appState
}
