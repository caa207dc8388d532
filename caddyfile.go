package llmgateway

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("llm_gateway", parseGlobalOption)
	for _, dir := range []*directive{gatewayDirective, authQuotaDirective, modelRouteDirective} {
		httpcaddyfile.RegisterDirective(dir.word, dir.parse)
		httpcaddyfile.RegisterDirectiveOrder(dir.word, httpcaddyfile.Before, dir.before)
	}
}

// directive is one of the three words that a site may use.
type directive struct {
	word string
	// takes are the words of its block, needs those that must be there once
	// the global option has filled in what the site leaves out.
	takes, needs []string
	// before is the standard directive in front of which it runs.
	before string
	// route builds what the directive stands for.
	route func(*sections, caddy.ModuleMap) caddyhttp.Route
}

// The words of the two handlers.
var (
	authQuotaWords = []string{
		"auth", "quota", "tier", "public_url", "max_body", "body_budget",
		"metrics", "unsafe_log", "onboarding",
	}
	modelRouteWords = []string{"tier", "backend"}
)

// The directives. llm_gateway answers everything that reaches it, so it stands
// with the handlers that end a request and leaves `handle`, `respond` and
// `metrics` of the same site alone. The two handlers are middleware: they run
// before everything that routes, so that no `handle` or `respond` of the site
// is reached without passing them.
var (
	gatewayDirective = &directive{
		word:   "llm_gateway",
		takes:  append([]string{"backend"}, authQuotaWords...),
		needs:  []string{"auth", "quota", "backend"},
		before: "reverse_proxy",
		route:  gatewayRoute,
	}
	authQuotaDirective = &directive{
		word:   "llm_auth_quota",
		takes:  authQuotaWords,
		needs:  []string{"auth", "quota"},
		before: "invoke",
		route: func(s *sections, matcher caddy.ModuleMap) caddyhttp.Route {
			return newRoute(matcher, s.authQuota(false))
		},
	}
	modelRouteDirective = &directive{
		word:   "llm_model_route",
		takes:  modelRouteWords,
		before: "invoke",
		route: func(s *sections, matcher caddy.ModuleMap) caddyhttp.Route {
			return newRoute(matcher, s.modelRoute())
		},
	}
)

// parse reads the directive. Syntax:
//
//	llm_gateway [<matcher>] {
//	    auth         <verifier> [<args...>] { … }   # several
//	    quota        <store> [<args...>] { … }
//	    tier         <name> { … }                   # several; see parseTier
//	    backend      <name> <api> [<url...>] { … }  # several; see parseBackend
//	    public_url   <url>
//	    max_body     <size>
//	    body_budget  <size>
//	    metrics {
//	        user_series <count>
//	        user_label  sub|username|hash
//	    }
//	    unsafe_log
//	    onboarding   off
//	}
//
// llm_auth_quota takes all of them but backend; llm_model_route takes tier and
// backend. All lines of one word form a section; a section that the site leaves
// out is that of the global option llm_gateway.
func (dir *directive) parse(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive's name
	start := h.Token()
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, errorAt(start, "%s: %w", dir.word, err)
	}
	h.Next() // again: taking the matcher out has reset the dispenser
	s := newSections()
	if err := s.parse(h.Dispenser, dir.word, dir.takes); err != nil {
		return nil, err
	}
	global, _ := h.Option("llm_gateway").(*sections)
	s.inherit(global)
	for _, need := range dir.needs {
		if s.empty(need) {
			return nil, errorAt(start, "%s: no %s line; add one, for example: %s", dir.word, need, s.example(need))
		}
	}
	if err := s.check(start, dir.takes); err != nil {
		return nil, err
	}
	if dir == gatewayDirective {
		if err := refuseOverlap(h, start, matcher); err != nil {
			return nil, err
		}
	}
	return []httpcaddyfile.ConfigValue{{Class: "route", Value: dir.route(s, matcher)}}, nil
}

// parseGlobalOption reads the global option llm_gateway: the same words as in a
// site, as defaults for all sites. It leaves nothing in the configuration by
// itself; the sites' handlers carry what they take over.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // the option's name
	if existing != nil {
		return nil, d.Err("global option llm_gateway given twice")
	}
	s := newSections()
	if err := s.parse(d, "llm_gateway", gatewayDirective.takes); err != nil {
		return nil, err
	}
	return s, nil
}
