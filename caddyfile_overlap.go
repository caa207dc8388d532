package llmgateway

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// placedBlock is an llm_gateway block that was read, and the routes it stands
// among.
type placedBlock struct {
	// site and routes tell blocks apart that stand in different sites or in
	// different handle blocks of one: these do not compete. routes is held, not
	// only its address, so that no later map can have the same.
	site    uintptr
	routes  map[string]any
	matcher caddy.ModuleMap
}

// refuseOverlap refuses a second llm_gateway block among the same routes that
// could answer the same requests: the first would hide it.
func refuseOverlap(h httpcaddyfile.Helper, at caddyfile.Token, matcher caddy.ModuleMap) error {
	const key = "llm_gateway.blocks"
	site, ok := siteOf(h)
	if !ok {
		return nil
	}
	b := placedBlock{site: site, routes: h.BlockState, matcher: matcher}
	seen, _ := h.State[key].([]placedBlock)
	for _, other := range seen {
		if b.among(&other) && !exclusive(b.matcher, other.matcher) {
			return errorAt(at, "llm_gateway: another block of this site could answer the same requests; give both matchers of host, path or method that exclude each other, or a handle block each")
		}
	}
	h.State[key] = append(seen, b)
	return nil
}

func (b *placedBlock) among(other *placedBlock) bool {
	return b.site == other.site && reflect.ValueOf(b.routes).Pointer() == reflect.ValueOf(other.routes).Pointer()
}

// siteOf identifies the site that a directive stands in; ok is false where a
// later Caddy does not tell. Caddy shares the state of the outermost directives
// between all sites of a file, and keeps the site itself in a private field.
func siteOf(h httpcaddyfile.Helper) (site uintptr, ok bool) {
	block := reflect.ValueOf(h).FieldByName("parentBlock")
	if block.Kind() != reflect.Struct {
		return 0, false
	}
	segments := block.FieldByName("Segments")
	if segments.Kind() != reflect.Slice {
		return 0, false
	}
	return segments.Pointer(), true
}

// exclusive reports whether no request fits both matchers, as far as their
// hosts, paths and methods show.
func exclusive(a, b caddy.ModuleMap) bool {
	return apart(a, b, "path", pathsMeet) ||
		apart(a, b, "host", hostsMeet) ||
		apart(a, b, "method", func(x, y string) bool { return x == y })
}

// apart reports whether both sets have the matcher and none of their values
// meet.
func apart(a, b caddy.ModuleMap, matcher string, meet func(x, y string) bool) bool {
	var left, right []string
	if json.Unmarshal(a[matcher], &left) != nil || json.Unmarshal(b[matcher], &right) != nil {
		return false
	}
	return !slices.ContainsFunc(left, func(x string) bool {
		return slices.ContainsFunc(right, func(y string) bool { return meet(strings.ToLower(x), strings.ToLower(y)) })
	})
}

// pathsMeet reports whether a path may fit both patterns: literals and prefixes
// are compared, everything else (globs inside, escapes, placeholders) is taken
// to meet.
func pathsMeet(x, y string) bool {
	px, restX, globX := strings.Cut(x, "*")
	py, restY, globY := strings.Cut(y, "*")
	switch {
	case restX != "" || restY != "" || strings.ContainsAny(x+y, "%{"):
		return true
	case globX && globY:
		return strings.HasPrefix(px, py) || strings.HasPrefix(py, px)
	case globX:
		return strings.HasPrefix(py, px)
	case globY:
		return strings.HasPrefix(px, py)
	default:
		return px == py
	}
}

// hostsMeet reports whether a host may fit both names.
func hostsMeet(x, y string) bool {
	return x == y || strings.ContainsAny(x+y, "*{")
}
