package llmgateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/openova-io/llm-gateway/internal/nearest"
)

// parseBackendLine reads one backend and remembers where it stands.
func (s *sections) parseBackendLine(d *caddyfile.Dispenser) error {
	at := d.Token()
	name, err := word(d, "the name")
	if err != nil {
		return err
	}
	api, err := word(d, "the api")
	if err != nil {
		return err
	}
	if err := oneOf(api, "api", "vllm", "openai_compatible", "openai", "anthropic"); err != nil {
		return err
	}
	owner := "backend " + name
	if _, twice := s.places[owner]; twice {
		return wrongLine("%s stands twice", name)
	}
	s.places[owner] = at
	b := Backend{Name: name, API: api, URLs: d.RemainingArgs()}
	for _, u := range b.URLs {
		if strings.Contains(u, "{") {
			continue // known only when it is loaded
		}
		if _, err := parseBackendURL(u); err != nil {
			return wrongLine("%v", err)
		}
	}
	if err := b.parse(d); err != nil {
		return err
	}
	s.backends = append(s.backends, b)
	return nil
}

// proxyWords are the subdirectives of reverse_proxy that pass to it.
var proxyWords = []string{
	"to", "dynamic", "lb_policy", "lb_retries", "lb_try_duration", "lb_try_interval", "lb_retry_match",
	"health_uri", "health_upstream", "health_port", "health_interval", "health_passes", "health_fails", "health_timeout",
	"health_method", "health_status", "health_request_body", "health_body", "health_follow_redirects", "health_headers",
	"fail_duration", "max_fails", "unhealthy_status", "unhealthy_latency", "unhealthy_request_count",
	"request_buffers", "stream_timeout", "stream_close_delay", "stream_buffer_size", "trusted_proxies", "header_up", "header_down",
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
		return d.Errf("%s: unknown option %q; did you mean reverse_proxy's %s?", owner, d.Val(), near)
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
	if !strings.HasPrefix(key, "{") || !strings.HasSuffix(key, "}") {
		return wrongLine("the key stands here in clear; write a placeholder, {env.NAME} or {file./run/secrets/name}")
	}
	b.Key = key
	if !d.NextArg() {
		return nil
	}
	b.KeyOptional = true
	return oneOf(d.Val(), "word", "optional")
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
		return wrongLine("%q is no plain path", path)
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
			return wrongLine("%q needs a + in front: it lets the member pass", f)
		}
	}
	b.Fields = append(b.Fields, fields...)
	return nil
}
