package llmgateway

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/openova-io/llm-gateway/internal/nearest"
	"github.com/openova-io/llm-gateway/routing"
)

// parseBackendLine reads one backend and remembers where it stands.
func (s *sections) parseBackendLine(d *caddyfile.Dispenser) error {
	lines := d.NextSegment()
	d = caddyfile.NewDispenser(lines)
	d.Next() // backend
	name, err := name(d)
	if err != nil {
		return err
	}
	if err := s.remember("backend "+name, lines); err != nil {
		return err
	}
	b := Backend{Name: name}
	if err := b.parseHead(d); err != nil {
		return err
	}
	if err := b.parse(d); err != nil {
		return err
	}
	if err := b.checkAddress(); err != nil {
		return errorAt(lines[0], "backend %s: %v", name, err)
	}
	s.backends = append(s.backends, b)
	return endOfLine(d)
}

// parseHead reads the API and the URLs behind a backend's name.
func (b *Backend) parseHead(d *caddyfile.Dispenser) error {
	var err error
	if b.API, err = word(d, "the api"); err != nil {
		return err
	}
	if err := oneOf(b.API, "api", "vllm", "openai_compatible", "openai", "anthropic"); err != nil {
		return err
	}
	b.URLs = d.RemainingArgs()
	var first *url.URL
	for _, text := range b.URLs {
		if strings.Contains(text, "{") {
			continue // known only when it is loaded
		}
		u, err := parseBackendURL(text)
		if err != nil {
			return wrongLine("%s", shown(err.Error()))
		}
		if first == nil {
			first = u
		}
		if u.Scheme != first.Scheme || u.Path != first.Path {
			return wrongLine("%s and %s: replicas of one backend must agree in scheme and path", first, u)
		}
	}
	return nil
}

// checkAddress says where it is not clear at which address and path a backend
// is.
func (b *Backend) checkAddress() error {
	_, public := defaultURL[routing.API(b.API)]
	inProxy := hasUpstreams(b.ProxyRaw)
	switch {
	case inProxy && len(b.URLs) > 0:
		return errors.New("it has a URL and upstreams of reverse_proxy; keep one of them")
	case !inProxy && len(b.URLs) == 0 && !public:
		return fmt.Errorf("no URL; write one, for example: backend %s %s http://vllm:8000/v1", b.Name, b.API)
	case b.BasePath != "" && !inProxy:
		return errors.New("base_path stands without upstreams of reverse_proxy; put the path behind the URL")
	}
	return nil
}

// proxyWords are the subdirectives of reverse_proxy that pass to it.
var proxyWords = []string{
	"to", "dynamic", "lb_policy", "lb_retries", "lb_try_duration", "lb_try_interval", "lb_retry_match",
	"health_uri", "health_upstream", "health_port", "health_interval", "health_passes", "health_fails", "health_timeout",
	"health_method", "health_status", "health_request_body", "health_body", "health_follow_redirects", "health_headers",
	"fail_duration", "max_fails", "unhealthy_status", "unhealthy_latency", "unhealthy_request_count",
	"request_buffers", "proxy_status_name", "stream_timeout", "stream_close_delay", "stream_buffer_size", "trusted_proxies", "header_up", "header_down",
	"transport", "verbose_logs",
}

// refusedProxyWords are those that would undo what the gateway does, and why.
var refusedProxyWords = map[string]string{
	"rewrite":          "the gateway writes the path itself",
	"method":           "the gateway writes the method itself",
	"handle_response":  "answers are metered and worded by the gateway",
	"replace_status":   "answers are metered and worded by the gateway",
	"response_buffers": "a buffered answer would not stream",
	"flush_interval":   "event streams are flushed at once already",
}

// parse reads the block of a backend. Syntax:
//
//	backend <name> <api> [<url...>] {
//	    models          <glob...>
//	    model           <public name> <upstream id>   # several
//	    key             <placeholder> [optional]
//	    base_path       <path>
//	    native_messages
//	    external
//	    fields          +<member>...
//	    <any subdirective of reverse_proxy but those that undo the gateway's work>
//	}
func (b *Backend) parse(d *caddyfile.Dispenser) error {
	var proxy caddyfile.Segment
	blk := block{owner: "backend " + b.Name, options: []option{
		{word: "models", example: "models qwen3-*", repeats: true, parse: func(d *caddyfile.Dispenser) error {
			models, err := words(d, "a glob")
			b.Models = append(b.Models, models...)
			return err
		}},
		{word: "model", example: "model claude-internal-qwen3-32b qwen3-32b", repeats: true, parse: b.parseModel},
		{word: "key", example: "key {env.CLAUDE_API_KEY} optional", parse: b.parseKey},
		{word: "base_path", example: "base_path /v1", parse: b.parseBasePath},
		{word: "native_messages", example: "native_messages", parse: b.parseNativeMessages},
		{word: "external", example: "external", parse: func(*caddyfile.Dispenser) error {
			yes := true
			b.External = &yes
			return nil
		}},
		{word: "fields", example: "fields +chat_template", repeats: true, parse: b.parseFields},
	}}
	blk.other = func(d *caddyfile.Dispenser) error {
		if why, refused := refusedProxyWords[d.Val()]; refused {
			return d.Errf("backend %s: %s has no place here: %s", b.Name, d.Val(), why)
		}
		if !slices.Contains(proxyWords, d.Val()) {
			return unknownBackendWord(d, blk.owner, blk.options)
		}
		proxy = append(proxy, d.NextSegment()...)
		return nil
	}
	if err := blk.parse(d); err != nil {
		return err
	}
	if len(proxy) == 0 {
		return nil
	}
	return b.parseProxy(proxy)
}

// unknownBackendWord names the nearest word, ours or reverse_proxy's.
func unknownBackendWord(d *caddyfile.Dispenser, owner string, options []option) error {
	if near, ok := nearest.Word(d.Val(), proxyWords); ok {
		return d.Errf("%s: unknown option %q; did you mean %s, which is reverse_proxy's?", owner, shown(d.Val()), near)
	}
	return unknownOption(d, owner, options)
}

// parseProxy lets Caddy's own reverse_proxy read its lines.
func (b *Backend) parseProxy(lines caddyfile.Segment) error {
	first, last := lines[0], lines[len(lines)-1]
	first.Text = "reverse_proxy"
	first.Line--
	open, end := first, last
	open.Text, end.Text = "{", "}"
	end.Line++
	tokens := append(caddyfile.Segment{first, open}, lines...)
	handler := new(reverseproxy.Handler)
	if err := handler.UnmarshalCaddyfile(caddyfile.NewDispenser(append(tokens, end))); err != nil {
		return fmt.Errorf("backend %s: %w", b.Name, err)
	}
	b.ProxyRaw = caddyconfig.JSONModuleObject(handler, "handler", "reverse_proxy", nil)
	return nil
}

func (b *Backend) parseModel(d *caddyfile.Dispenser) error {
	var n ModelName
	if !d.AllArgs(&n.Public, &n.Upstream) {
		return wrongLine("it takes a public name and the id that the upstream is sent")
	}
	b.Names = append(b.Names, n)
	return nil
}

// parseKey refuses secrets in clear: the file is read, copied and dumped in
// more places than anyone counts.
func (b *Backend) parseKey(d *caddyfile.Dispenser) error {
	key, err := word(d, "the key")
	if err != nil {
		return err
	}
	if key == "optional" {
		return wrongLine("optional says what an empty key means, but there is no key")
	}
	if !isPlaceholder(key) {
		return wrongLine("the key stands here in clear; write a placeholder, {env.NAME} or {file./run/secrets/name} ({$NAME} is replaced by the key before the file is read)")
	}
	b.Key = key
	if rest := d.RemainingArgs(); len(rest) > 0 {
		// Whatever stands there may be the key itself: it is not repeated.
		if len(rest) > 1 || rest[0] != "optional" {
			return wrongLine("only the word optional may follow the placeholder")
		}
		b.KeyOptional = true
	}
	return nil
}

func (b *Backend) parseBasePath(d *caddyfile.Dispenser) error {
	path, err := word(d, "the path")
	if err != nil {
		return err
	}
	if len(b.URLs) > 0 {
		return wrongLine("the backend has a URL: its path is the base path")
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#%{ ") {
		return wrongLine("%q is no plain path", shown(path))
	}
	b.BasePath = path
	return nil
}

func (b *Backend) parseNativeMessages(*caddyfile.Dispenser) error {
	if b.API != "vllm" {
		return wrongLine("only vllm has a Messages route of its own, and this backend is %s", b.API)
	}
	b.NativeMessages = true
	return nil
}

func (b *Backend) parseFields(d *caddyfile.Dispenser) error {
	fields, err := words(d, "a member")
	if err != nil {
		return err
	}
	for _, f := range fields {
		if len(f) < 2 || f[0] != '+' {
			return wrongLine("%q needs a + in front: it lets the member pass", shown(f))
		}
		if !routing.KnownField(f[1:]) {
			return oneOf(f[1:], "member", routing.FieldNames()...)
		}
	}
	b.Fields = append(b.Fields, fields...)
	return nil
}
