package llmgateway

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// gatewayRoute is what llm_gateway stands for: who is calling, then which
// model, then 404. The last handler is there because Caddy answers an empty 200
// to what no handler ends, and a client must never take that for a reply. All
// three stand in one route: Caddy puts the routes of a subroute together anew
// for every request.
func gatewayRoute(s *sections, matcher caddy.ModuleMap) caddyhttp.Route {
	notFound := &caddyhttp.StaticError{StatusCode: "404"}
	return newRoute(matcher, &caddyhttp.Subroute{Routes: caddyhttp.RouteList{
		newRoute(nil, s.authQuota(true), s.modelRoute(), notFound),
	}})
}

// newRoute wraps handlers in a route; without a matcher it takes everything.
func newRoute(matcher caddy.ModuleMap, handlers ...any) caddyhttp.Route {
	var route caddyhttp.Route
	if matcher != nil {
		route.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
	}
	for _, handler := range handlers {
		route.HandlersRaw = append(route.HandlersRaw, handlerJSON(handler))
	}
	return route
}

func handlerJSON(handler any) json.RawMessage {
	var name string
	switch handler.(type) {
	case *AuthQuota:
		name = "llm_auth_quota"
	case *ModelRoute:
		name = "llm_model_route"
	case *caddyhttp.Subroute:
		name = "subroute"
	case *caddyhttp.StaticError:
		name = "error"
	}
	return caddyconfig.JSONModuleObject(handler, "handler", name, nil)
}

// authQuota is the handler that the sections describe; routed tells that
// llm_model_route stands right behind it.
func (s *sections) authQuota(routed bool) *AuthQuota {
	return &AuthQuota{
		AuthRaw:       s.auth,
		QuotaRaw:      s.quota,
		Tiers:         s.tiers,
		PublicURL:     s.publicURL,
		MaxBody:       s.maxBody,
		BodyBudget:    s.bodyBudget,
		Metrics:       s.metrics,
		UnsafeLog:     s.unsafeLog,
		OnboardingOff: s.onboardingOff,
		Routed:        routed,
	}
}

// modelRoute is the handler that the sections describe.
func (s *sections) modelRoute() *ModelRoute {
	return &ModelRoute{Backends: s.backends, Tiers: s.tiers}
}
