package llmgateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/openova-io/llm-gateway/routing"
)

// upstreams is a backend as requests meet it: the routing side, the guest
// proxy and the key.
type upstreams struct {
	routing.Backend
	proxy    caddyhttp.MiddlewareHandler
	basePath string
	key      *secret
	// transport is the proxy's, for questions of our own (the model list).
	transport http.RoundTripper
	// address is one replica for these questions; nil where none is known
	// before a request comes (dynamic upstreams).
	address *url.URL
}

// defaultURL is where an API is when nobody says otherwise.
var defaultURL = map[routing.API]string{
	routing.Anthropic: "https://api.anthropic.com",
	routing.OpenAI:    "https://api.openai.com",
}

const defaultBasePath = "/v1"

// provisionBackend resolves a backend's placeholders and builds its proxy. A
// backend whose optional key is empty comes back disabled.
func provisionBackend(ctx caddy.Context, h *ModelRoute, b *Backend) (*upstreams, error) {
	u := &upstreams{Backend: b.routing(), key: newSecret(b.Key)}
	if !slices.Contains([]routing.API{routing.VLLM, routing.OpenAICompatible, routing.OpenAI, routing.Anthropic}, u.API) {
		return nil, fmt.Errorf("api %q is not known; use vllm, openai_compatible, openai or anthropic", b.API)
	}
	if b.KeyOptional && b.Key == "" {
		return nil, fmt.Errorf("the key is optional, but there is none")
	}
	if b.Key != "" && !isPlaceholder(b.Key) {
		return nil, fmt.Errorf("the key stands in the configuration in clear; write a placeholder, {env.NAME} or {file./run/secrets/name}")
	}
	if err := u.key.resolve(!b.KeyOptional); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if b.KeyOptional && u.key.value() == "" {
		u.Disabled = true
		return u, nil
	}
	addresses, err := b.addresses()
	if err != nil {
		return nil, err
	}
	u.basePath = strings.TrimSuffix(b.BasePath, "/")
	u.address = firstUpstream(b.ProxyRaw)
	if len(addresses) > 0 {
		u.address, u.basePath = addresses[0], addresses[0].Path
	}
	if u.basePath == "" {
		u.basePath = defaultBasePath
	}
	if u.address == nil && u.API.Internal() && !u.Explicit {
		return nil, fmt.Errorf("its upstreams are dynamic, so nobody can be asked which models they serve; add a line such as: models qwen3-*")
	}
	raw, err := proxyConfig(u.API, addresses, b.ProxyRaw)
	if err != nil {
		return nil, err
	}
	loaded, err := ctx.WithValue(ownerKey{}, u).LoadModuleByID("http.handlers.reverse_proxy", raw)
	if err != nil {
		return nil, fmt.Errorf("building the proxy: %w", err)
	}
	u.proxy = loaded.(caddyhttp.MiddlewareHandler)
	return u, nil
}

// routing returns the part of the configuration that routing knows.
func (b *Backend) routing() routing.Backend {
	api := routing.API(b.API)
	r := routing.Backend{
		Name: b.Name, API: api, External: !api.Internal(), Models: b.Models, Explicit: len(b.Models) > 0,
		NativeMessages: b.NativeMessages, Fields: slices.Clone(b.Fields),
	}
	for i, field := range r.Fields {
		r.Fields[i] = strings.TrimPrefix(field, "+")
	}
	if b.External != nil {
		r.External = *b.External
	}
	for _, n := range b.Names {
		r.Names = append(r.Names, routing.PublicName(n))
	}
	return r
}

// addresses returns the backend's URLs, resolved. All agree in scheme and
// path, because they share one proxy.
func (b *Backend) addresses() ([]*url.URL, error) {
	raw := b.URLs
	if len(raw) == 0 && !hasUpstreams(b.ProxyRaw) {
		u, ok := defaultURL[routing.API(b.API)]
		if !ok {
			return nil, fmt.Errorf("no URL; write one, for example: backend %s %s http://vllm:8000/v1", b.Name, b.API)
		}
		raw = []string{u}
	}
	repl := caddy.NewReplacer()
	var list []*url.URL
	for _, s := range raw {
		text, err := repl.ReplaceOrErr(s, true, true)
		if err != nil {
			return nil, fmt.Errorf("url: %w", err)
		}
		u, err := parseBackendURL(text)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 && (u.Scheme != list[0].Scheme || u.Path != list[0].Path) {
			return nil, fmt.Errorf("url %s: replicas of one backend must agree in scheme and path with %s", u.Redacted(), list[0].Redacted())
		}
		list = append(list, u)
	}
	return list, nil
}

// parseBackendURL reads one backend URL and fills in its port.
func parseBackendURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("a url cannot be read; write it as http://vllm:8000/v1")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("a url needs http:// or https:// and a host; write it as http://vllm:8000/v1")
	case u.User != nil:
		return nil, fmt.Errorf("url %q carries a user; the key has a line of its own: key {env.NAME}", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "" || u.RawPath != "":
		return nil, fmt.Errorf("the url of %s has more than scheme, host, port and a plain path", u.Host)
	}
	if u.Port() == "" {
		port := "80"
		if u.Scheme == "https" {
			port = "443"
		}
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// isPlaceholder reports whether a secret is one placeholder and nothing else.
func isPlaceholder(s string) bool {
	return len(s) > 2 && strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && strings.Count(s, "{") == 1
}

// operatorProxy is what we read of the operator's own reverse_proxy.
type operatorProxy struct {
	Upstreams []struct{ Dial string } `json:"upstreams"`
	Dynamic   json.RawMessage         `json:"dynamic_upstreams"`
}

func hasUpstreams(proxy json.RawMessage) bool {
	var p operatorProxy
	return proxy != nil && json.Unmarshal(proxy, &p) == nil && (len(p.Upstreams) > 0 || p.Dynamic != nil)
}

// firstUpstream returns the first upstream that the operator named, nil where
// there is none. The transport knows whether to speak TLS.
func firstUpstream(proxy json.RawMessage) *url.URL {
	var p operatorProxy
	if proxy == nil || json.Unmarshal(proxy, &p) != nil || len(p.Upstreams) == 0 || strings.ContainsAny(p.Upstreams[0].Dial, "{/") {
		return nil
	}
	return &url.URL{Host: p.Upstreams[0].Dial}
}

// proxyConfig returns the JSON of the guest reverse_proxy: what the operator
// wrote, over what long streams to this API need.
func proxyConfig(api routing.API, addresses []*url.URL, operator json.RawMessage) (json.RawMessage, error) {
	proxy := make(map[string]any)
	if operator != nil {
		if err := json.Unmarshal(operator, &proxy); err != nil {
			return nil, fmt.Errorf("reading proxy: %w", err)
		}
	}
	delete(proxy, "handler")
	if len(addresses) > 0 && !hasUpstreams(operator) {
		var dials []any
		for _, u := range addresses {
			dials = append(dials, map[string]any{"dial": u.Host})
		}
		proxy["upstreams"] = dials
	}
	transport, _ := proxy["transport"].(map[string]any)
	if transport == nil {
		transport = make(map[string]any)
	}
	if p, ok := transport["protocol"]; ok && p != "http" {
		return nil, fmt.Errorf("transport %v does not speak HTTP; only transport http can carry requests to models", p)
	}
	proxy["transport"] = fillTransport(api, addresses, transport)
	if list, _ := proxy["upstreams"].([]any); len(list) > 1 || proxy["dynamic_upstreams"] != nil {
		fillRetries(proxy)
	}
	return json.Marshal(proxy)
}

// fillTransport adds what is missing. The transport is always explicit: Caddy
// does not clean an implicit one up on reload.
func fillTransport(api routing.API, addresses []*url.URL, t map[string]any) map[string]any {
	t["protocol"] = keyedProtocol
	setDefault(t, "dial_timeout", "3s")
	// A proxy from the environment would see every prompt.
	setDefault(t, "network_proxy", map[string]any{"from": "none"})
	// Answers are read on their way: compressed ones would say nothing.
	setDefault(t, "compression", false)
	keepAlive, _ := t["keep_alive"].(map[string]any)
	if keepAlive == nil {
		keepAlive = make(map[string]any)
	}
	idle := "90s"
	if api.Internal() {
		// vLLM closes idle connections after exactly 5 s; a POST that meets the
		// close is lost.
		idle = "4s"
	}
	setDefault(keepAlive, "idle_timeout", idle)
	// Room for every parallel stream: Caddy's 32 cost a dial per request above.
	setDefault(keepAlive, "max_idle_conns_per_host", 1024)
	t["keep_alive"] = keepAlive
	if len(addresses) > 0 && addresses[0].Scheme == "https" {
		setDefault(t, "tls", map[string]any{})
	}
	return t
}

// fillRetries lets a request whose connection was refused go to another
// replica. Nothing that may have been received is ever sent twice.
func fillRetries(proxy map[string]any) {
	balancing, _ := proxy["load_balancing"].(map[string]any)
	if balancing == nil {
		balancing = make(map[string]any)
	}
	if balancing["retries"] == nil && balancing["try_duration"] == nil {
		balancing["retries"] = 2
	}
	setDefault(balancing, "selection_policy", map[string]any{"policy": "least_conn"})
	proxy["load_balancing"] = balancing
	checks, _ := proxy["health_checks"].(map[string]any)
	if checks == nil {
		checks = make(map[string]any)
	}
	setDefault(checks, "passive", map[string]any{"fail_duration": "5s"})
	proxy["health_checks"] = checks
}

func setDefault(m map[string]any, key string, value any) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// secret is a key with placeholders. It is resolved at load; one that lives in
// a file is resolved again in the background, so that a rotated key needs no
// reload.
type secret struct {
	template string
	current  atomic.Pointer[string]
}

func newSecret(template string) *secret {
	s := &secret{template: template}
	empty := ""
	s.current.Store(&empty)
	return s
}

func (s *secret) value() string { return *s.current.Load() }

// inFile reports whether the secret can change while the process runs.
func (s *secret) inFile() bool { return strings.Contains(s.template, "{file.") }

// resolve evaluates the placeholders. Errors name the placeholder, never the
// value.
func (s *secret) resolve(required bool) error {
	if s.template == "" {
		return nil
	}
	text, err := caddy.NewReplacer().ReplaceOrErr(s.template, required, true)
	if err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if required && text == "" {
		return fmt.Errorf("%s is empty", s.template)
	}
	if strings.ContainsAny(text, "\r\n\x00") {
		return fmt.Errorf("%s holds a line break", s.template)
	}
	s.current.Store(&text)
	return nil
}
