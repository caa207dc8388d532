package keycloak

import (
	"slices"
	"strings"
)

// tiers finds the tier of a person in a verified token.
type tiers struct {
	sources  []TierSource
	rank     []string // the site's tiers; later is higher
	mapped   map[string]string
	fallback string
	client   string // whose client roles count beside the realm's
}

// of returns the tier of the claims; false where they name none that the site
// has and there is no default. Absent and unknown are one case.
func (t *tiers) of(claims map[string]any) (string, bool) {
	for _, source := range t.sources {
		best := -1
		for _, value := range t.values(source, claims) {
			best = max(best, t.rankOf(source, value))
		}
		if best >= 0 {
			return t.rank[best], true
		}
	}
	return t.fallback, t.fallback != ""
}

// values lists what a source says. A value of another type says nothing: it is
// never guessed at.
func (t *tiers) values(source TierSource, claims map[string]any) []string {
	switch source.From {
	case FromRole:
		clients, _ := claims["resource_access"].(map[string]any)
		return append(roles(claims["realm_access"]), roles(clients[t.client])...)
	case FromGroup:
		return texts(claims["groups"])
	default:
		value, ok := claims[source.Match].(string)
		if !ok {
			return nil
		}
		return []string{value}
	}
}

// rankOf returns the rank of the tier that a value stands for, -1 for none.
// The map sees the whole value first, then the part that `*` stands for.
func (t *tiers) rankOf(source TierSource, value string) int {
	part := value
	if source.From != FromClaim {
		var ok bool
		if part, ok = star(source.Match, value); !ok {
			return -1
		}
	}
	for _, candidate := range []string{value, part} {
		if tier, ok := t.mapped[candidate]; ok {
			return slices.Index(t.rank, tier)
		}
	}
	return slices.Index(t.rank, part)
}

// star returns what `*` stands for in value, or value where the pattern has
// none; false where value does not match.
func star(pattern, value string) (string, bool) {
	before, after, ok := strings.Cut(pattern, "*")
	if !ok {
		return value, value == pattern
	}
	if len(value) < len(before)+len(after) || !strings.HasPrefix(value, before) || !strings.HasSuffix(value, after) {
		return "", false
	}
	return value[len(before) : len(value)-len(after)], true
}

// roles reads {"roles":[…]}.
func roles(access any) []string {
	members, _ := access.(map[string]any)
	return texts(members["roles"])
}

// texts returns the strings of a list.
func texts(list any) []string {
	items, _ := list.([]any)
	out := make([]string, 0, len(items))
	for _, item := range items {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
