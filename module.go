// Package llmgateway is an LLM gateway as a set of Caddy modules.
//
// Two HTTP handlers do the work. llm_auth_quota establishes who is calling, on
// which tier, and whether they may still use it; llm_model_route decides which
// model on which backend answers, and lets Caddy's own reverse_proxy carry the
// request there and the stream back. The llm_gateway block of a Caddyfile
// expands to both and a last 404.
//
// The domain lives below and knows nothing of Caddy: auth (credentials become
// principals), quota (principal and limits become a decision), routing (tier
// and model become a route). This package is the thin edge around it:
//
//	caddyfile.go, expand.go   syntax; the llm_gateway block becomes a subroute
//	config.go                 the same as JSON, documented as a manual page
//	app.go                    what sites and reloads share
//	authquota.go, admit.go    the first handler, step by step
//	modelroute.go, forward.go the second handler, and how an answer ends
//	admission.go              what is known of one request
//	endpoints.go              which path means what
package llmgateway

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	// Guests: where credentials are checked and charges counted.
	_ "github.com/openova-io/llm-gateway/auth/keycloak"
	_ "github.com/openova-io/llm-gateway/auth/users"
	_ "github.com/openova-io/llm-gateway/quota/embedded"
	_ "github.com/openova-io/llm-gateway/quota/redis"

	// The subcommands of `caddy llm-gateway`.
	_ "github.com/openova-io/llm-gateway/cli"

	// The guest proxy that carries requests to backends.
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func init() {
	caddy.RegisterModule((*App)(nil))
	caddy.RegisterModule((*AuthQuota)(nil))
	caddy.RegisterModule((*ModelRoute)(nil))
	caddy.RegisterModule((*keyedTransport)(nil))
}

// Interface guards
var (
	_ caddy.Provisioner           = (*AuthQuota)(nil)
	_ caddy.CleanerUpper          = (*AuthQuota)(nil)
	_ caddyhttp.MiddlewareHandler = (*AuthQuota)(nil)

	_ caddy.Provisioner           = (*ModelRoute)(nil)
	_ caddyhttp.MiddlewareHandler = (*ModelRoute)(nil)
)
