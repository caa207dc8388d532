package routing

import "strings"

// plan is a tier's row, compiled: its words split and its globs ready.
type plan struct {
	tier  *Tier
	wall  wall
	rules []planRule
	// fallback answers for names that nobody mentioned; its name is "" if none.
	fallback target
}

type planRule struct {
	globs []glob
	to    target
}

// target is a model that configuration names, on any backend or on one.
type target struct {
	backend string // "" is any
	name    string
}

// wall is what a tier may reach.
type wall []wallEntry

type wallEntry struct {
	backend string
	glob    glob
	whole   bool // everything on the backend
}

// admits reports whether the place lies inside. A public name is inside when it
// or the model behind it is named.
func (w wall) admits(p place) bool {
	for _, e := range w {
		if e.backend == p.backend.Name && (e.whole || e.glob.match(p.upstream) || e.glob.match(p.model)) {
			return true
		}
	}
	return false
}

// match returns the first glob of the rule that fits.
func (r *planRule) match(asked string) (pattern string, ok bool) {
	for _, g := range r.globs {
		if g.match(asked) {
			return g.text, true
		}
	}
	return "", false
}

// admitsDefault is the wall for the default: it keeps inside the house unless
// the tier's line says otherwise.
func (p *plan) admitsDefault(at place) bool {
	return p.wall.admits(at) && (!at.backend.External || p.tier.DefaultExternal)
}

// splitBackend splits `<backend>/<rest>` where the first segment is a
// configured backend. Hugging Face names contain slashes too: they stay whole.
func splitBackend(word string, known func(string) bool) (backend, rest string) {
	if first, after, found := strings.Cut(word, "/"); found && known(first) {
		return first, after
	}
	return "", word
}

// words are the names that a tier spells out, for the labels of metrics.
func (p *plan) words() []string {
	var words []string
	for _, e := range p.wall {
		if !e.whole && e.glob.exact() {
			words = append(words, e.glob.text)
		}
	}
	for _, r := range p.rules {
		for _, g := range r.globs {
			if g.exact() {
				words = append(words, g.text)
			}
		}
		words = append(words, r.to.name)
	}
	if p.fallback.name != "" {
		words = append(words, p.fallback.name)
	}
	return words
}
