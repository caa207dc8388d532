// Package routing decides which model on which backend answers a request, and
// how the request must look there.
//
// [Table] is the decision: asked model + tier → [Route], a pure function of
// configuration and of what backends say they serve. The files beside it build
// what the chosen upstream receives: headers from an allow-list per API,
// members that may not pass, named edits of the body.
//
// The package does no I/O and knows neither Caddy nor credentials.
package routing

import (
	"github.com/openova-io/llm-gateway/internal/dialect"
)

// API is what a backend speaks.
type API string

// The APIs.
const (
	// VLLM speaks chat completions and, where the backend says
	// native_messages, Messages.
	VLLM API = "vllm"
	// OpenAICompatible speaks chat completions; internal unless said otherwise.
	OpenAICompatible API = "openai_compatible"
	// OpenAI is the OpenAI API.
	OpenAI API = "openai"
	// Anthropic is the Claude API.
	Anthropic API = "anthropic"
)

// Internal reports whether backends of this API belong to the house, unless
// their configuration says otherwise.
func (a API) Internal() bool { return a == VLLM || a == OpenAICompatible }

// Backend is a named place where models run.
type Backend struct {
	Name string
	API  API
	// External backends see prompts outside the house. Nothing goes there by
	// default, downgrade or fallback unless the line says so.
	External bool
	// Models are globs of what lives here. Explicit ones beat the defaults of
	// the API, whatever the order of backends.
	Models []string
	// Explicit tells that Models were written by the operator.
	Explicit bool
	// Names are public names of models that live here.
	Names []PublicName
	// NativeMessages lets Messages requests pass to a vLLM backend as they are.
	NativeMessages bool
	// Fields are members of the danger list that may pass to this backend,
	// spelled without the configuration's leading "+".
	Fields []string
	// Disabled backends (optional key, empty) take part in nothing.
	Disabled bool
}

// PublicName is a name that clients may ask for and the id that the upstream
// is sent for it.
type PublicName struct {
	Public, Upstream string
}

// Tier is a row of the tier table, as far as routing is concerned.
type Tier struct {
	Name string
	// Allow is the wall: "<backend>" or "<backend>/<glob>".
	Allow []string
	// Rules are tried in order; the first that matches names the target.
	Rules []Rule
	// Default answers for models that nobody mentioned; "" refuses.
	Default string
	// DefaultExternal lets Default leave the house.
	DefaultExternal bool
}

// Rule sends asked names to one target.
type Rule struct {
	Match []string // globs
	To    string   // a model or public name, optionally "<backend>/<model>"; never a glob
}

// Reason says how a route came about.
type Reason string

// The reasons, as the header x-llm-gateway-route spells them.
const (
	ReasonAsked   Reason = "asked"
	ReasonRule    Reason = "route"
	ReasonDefault Reason = "default"
)

// Route is where one request goes.
type Route struct {
	Backend string
	// Model is the name by which people know the target: its public name where
	// it has one. Headers, metrics and logs use it.
	Model string
	// Upstream is the id that the backend is sent.
	Upstream string
	Reason   Reason
	// Pattern is the bounded name of what was asked, for the metric's label
	// from: the asked name where configuration, wall or a backend's list
	// spells it out, else the glob that matched, else "other".
	Pattern string
	// Label is the bounded name of the target, for the metric's label to: Model
	// where configuration, wall or a backend's list spells it out, else the glob
	// that claims it, else "other". Model itself is often what the client asked
	// for, so it must not become a label.
	Label string
	// Same tells that the target is the very model that was asked for, so no
	// ability can be missing.
	Same bool
}

// Speaks reports whether the backend takes requests of the dialect as they are.
func (b *Backend) Speaks(d dialect.Dialect) bool {
	switch b.API {
	case Anthropic:
		return d == dialect.Anthropic
	case VLLM:
		return d == dialect.OpenAI || b.NativeMessages
	default:
		return d == dialect.OpenAI
	}
}
