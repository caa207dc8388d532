package llmgateway

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// warnOfAccessLog tells the operator, while a configuration is loaded, that the
// server in front of the handler writes an access log: Caddy's own formats
// would write X-Api-Key and the query in clear. A module cannot see which
// format another module's log has, so it warns of a safe one too; accepted is
// the site's word unsafe_log, which ends the warning.
func warnOfAccessLog(ctx caddy.Context, logger *zap.Logger, accepted bool) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil || accepted {
		return
	}
	logger.Warn("this server writes an access log; unless its format is llm_safe it holds credentials of callers (the word unsafe_log in llm_gateway ends this warning)")
}
