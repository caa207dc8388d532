// Command floorcaddy is Caddy with package gate as one more HTTP handler
// ("bench_gate"): what our gateway would cost if its modules did only this.
package main

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"llmgwfloor/gate"
)

func init() {
	caddy.RegisterModule(handler{})
	httpcaddyfile.RegisterHandlerDirective("bench_gate", parse)
	httpcaddyfile.RegisterDirectiveOrder("bench_gate", httpcaddyfile.Before, "reverse_proxy")
}

type handler struct {
	gate.Options
	g *gate.Gate
}

func (handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_gate", New: func() caddy.Module { return new(handler) }}
}

func (h *handler) Provision(caddy.Context) (err error) {
	h.g, err = gate.New(h.Options)
	return err
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return h.g.Serve(w, r, next.ServeHTTP)
}

// parse reads "bench_gate { jwks FILE; issuer URL; redis ADDR; settle; rewrite }".
func parse(p httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h := new(handler)
	p.Next()
	for p.NextBlock(0) {
		k := p.Val()
		if flag := map[string]*bool{"settle": &h.Settle, "rewrite": &h.Rewrite}[k]; flag != nil {
			*flag = true
			continue
		}
		to := map[string]*string{"jwks": &h.JWKS, "issuer": &h.Issuer, "redis": &h.Redis}[k]
		if to == nil || !p.AllArgs(to) {
			return nil, p.ArgErr()
		}
	}
	return h, nil
}

func main() { caddycmd.Main() }
