package llmgateway

import (
	"errors"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// keyedTransport is Caddy's HTTP transport that puts a backend's key on a
// request in the last moment before it leaves. The guest proxy logs the requests
// it carries (one whose client leaves in the middle at level WARN), and of all
// headers that carry a key Caddy redacts Authorization alone: so the proxy never
// sees it. Configurations do not name it; llm_model_route puts it in the place
// of `transport http`.
type keyedTransport struct {
	*reverseproxy.HTTPTransport
	owner *upstreams
}

// keyedProtocol is the module's name among the transports.
const keyedProtocol = "llm_gateway"

// CaddyModule returns the Caddy module information.
func (*keyedTransport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport." + keyedProtocol,
		New: func() caddy.Module { return &keyedTransport{HTTPTransport: new(reverseproxy.HTTPTransport)} },
	}
}

// ownerKey is where a guest proxy's transport finds the backend it belongs to,
// in the context that provisions it.
type ownerKey struct{}

// Provision implements caddy.Provisioner.
func (t *keyedTransport) Provision(ctx caddy.Context) error {
	owner, ok := ctx.Value(ownerKey{}).(*upstreams)
	if !ok {
		return errors.New("transport llm_gateway belongs to llm_model_route; write transport http")
	}
	t.owner = owner
	owner.transport = t
	return t.HTTPTransport.Provision(ctx)
}

// RoundTrip implements http.RoundTripper.
func (t *keyedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	key := t.owner.key.value()
	if key == "" {
		return t.HTTPTransport.RoundTrip(r)
	}
	name, value := t.owner.API.KeyHeader(key)
	header := make(http.Header, len(r.Header)+1)
	maps.Copy(header, r.Header)
	header[name] = []string{value}
	keyed := new(http.Request)
	*keyed = *r
	keyed.Header = header
	return t.HTTPTransport.RoundTrip(keyed)
}

// Interface guards
var (
	_ caddy.Provisioner                                = (*keyedTransport)(nil)
	_ caddy.CleanerUpper                               = (*keyedTransport)(nil)
	_ http.RoundTripper                                = (*keyedTransport)(nil)
	_ reverseproxy.RequestHeaderOpsTransport           = (*keyedTransport)(nil)
	_ reverseproxy.ProxyProtocolTransport              = (*keyedTransport)(nil)
	_ reverseproxy.HealthCheckSchemeOverriderTransport = (*keyedTransport)(nil)
)
