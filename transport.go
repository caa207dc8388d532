package llmgateway

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/openova-io/llm-gateway/routing"
)

// keyedTransport puts a backend's key on a request in the last moment before it
// leaves. The guest proxy logs the requests it carries (one whose client leaves
// in the middle at level WARN), and of all headers that carry a key Caddy
// redacts Authorization alone: so the proxy never sees it.
type keyedTransport struct {
	http.RoundTripper
	api routing.API
	key *secret
}

// RoundTrip implements http.RoundTripper.
func (t *keyedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	key := t.key.value()
	if key == "" {
		return t.RoundTripper.RoundTrip(r)
	}
	header := make(http.Header, len(r.Header)+1)
	maps.Copy(header, r.Header)
	name, value := t.api.KeyHeader(key)
	header[name] = []string{value}
	keyed := new(http.Request)
	*keyed = *r
	keyed.Header = header
	return t.RoundTripper.RoundTrip(keyed)
}

// ProxyProtocolEnabled implements reverseproxy.ProxyProtocolTransport.
func (t *keyedTransport) ProxyProtocolEnabled() bool {
	inner, ok := t.RoundTripper.(reverseproxy.ProxyProtocolTransport)
	return ok && inner.ProxyProtocolEnabled()
}

// OverrideHealthCheckScheme implements
// reverseproxy.HealthCheckSchemeOverriderTransport.
func (t *keyedTransport) OverrideHealthCheckScheme(base *url.URL, port string) {
	if inner, ok := t.RoundTripper.(reverseproxy.HealthCheckSchemeOverriderTransport); ok {
		inner.OverrideHealthCheckScheme(base, port)
	}
}

// keyTransport wraps the transport of a guest proxy that was just provisioned.
func keyTransport(proxy *reverseproxy.Handler, api routing.API, key *secret) error {
	if _, ok := proxy.Transport.(*reverseproxy.HTTPTransport); !ok {
		return fmt.Errorf("transport %T does not speak HTTP; only `transport http` can carry requests to models", proxy.Transport)
	}
	proxy.Transport = &keyedTransport{RoundTripper: proxy.Transport, api: api, key: key}
	return nil
}

// Interface guards
var (
	_ reverseproxy.ProxyProtocolTransport              = (*keyedTransport)(nil)
	_ reverseproxy.HealthCheckSchemeOverriderTransport = (*keyedTransport)(nil)
)
