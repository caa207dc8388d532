package routing

import (
	"fmt"

	"github.com/openova-io/llm-gateway/internal/nearest"
)

// LoadError is a word of the configuration that cannot stand. It says what
// would: the nearest valid word, where one is near, and an example.
type LoadError struct {
	// Where is the line's owner: "tier free" or "backend claude".
	Where string
	// Word is what was written.
	Word string
	// Problem says what is wrong with it, as the rest of the sentence.
	Problem string
	// Nearest is the valid word that was probably meant; "" if none is near.
	Nearest string
	// Example is a line that would be right.
	Example string
}

// Error returns the whole sentence; the caller adds file and line.
func (e *LoadError) Error() string {
	s := fmt.Sprintf("%s: %q %s", e.Where, e.Word, e.Problem)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return s + " (example: " + e.Example + ")"
}

// loader turns configuration into the parts of a table and notes what is wrong
// with it, all of it at once.
type loader struct {
	backends []*Backend // enabled
	disabled []*Backend
	names    []string // of all backends
	byName   map[string]*Backend
	plans    []*plan
	presumed []claim
	errors   []error
	warnings []string
}

func (l *loader) fail(where, word, problem, example string, candidates []string) {
	near, _ := nearest.Word(word, candidates)
	l.errors = append(l.errors, &LoadError{Where: where, Word: word, Problem: problem, Nearest: near, Example: example})
}

func (l *loader) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

func (l *loader) known(backend string) bool { return l.byName[backend] != nil }

// addBackends indexes the backends and refuses what would be ambiguous: a name,
// a glob or a public name that two of them have.
func (l *loader) addBackends(backends []Backend) {
	for i := range backends {
		b := &backends[i]
		where := "backend " + b.Name
		switch {
		case b.Name == "" || !validName(b.Name) || isGlob(b.Name):
			l.fail("backend", b.Name, "is not a name", "backend internal vllm http://vllm:8000", nil)
			continue
		case l.known(b.Name):
			l.fail(where, b.Name, "is the name of another backend too", "backend internal2 vllm http://vllm2:8000", nil)
			continue
		}
		l.byName[b.Name] = b
		l.names = append(l.names, b.Name)
		if b.Disabled {
			l.disabled = append(l.disabled, b)
			continue
		}
		l.backends = append(l.backends, b)
	}
	l.checkGlobs()
	l.checkPublicNames()
}

func (l *loader) checkGlobs() {
	owner := map[string]string{}
	for _, b := range l.backends {
		for _, text := range b.globs() {
			if first, taken := owner[text]; taken && first != b.Name {
				l.fail("backend "+b.Name, text, "is claimed by backend "+first+" too, and which of them would answer is not said",
					"models "+b.Name+"-*", nil)
				continue
			}
			owner[text] = b.Name
		}
	}
}

func (l *loader) checkPublicNames() {
	owner := map[string]string{}
	for _, b := range l.backends {
		for _, n := range b.Names {
			where := "backend " + b.Name
			switch first, taken := owner[n.Public]; {
			case taken:
				l.fail(where, n.Public, "is a public name of backend "+first+" already", "model "+n.Public+"-2 "+n.Upstream, nil)
			case !validName(n.Public):
				l.fail(where, n.Public, "is not a name that clients can ask for", "model claude-internal-qwen3-32b qwen3-32b", nil)
			case !validName(n.Upstream):
				l.fail(where, n.Upstream, "is not the id of one model", "model claude-internal-qwen3-32b qwen3-32b", nil)
			default:
				owner[n.Public] = b.Name
			}
		}
	}
}

// addTiers compiles the tiers.
func (l *loader) addTiers(tiers []Tier) {
	seen := map[string]bool{}
	for i := range tiers {
		t := &tiers[i]
		if t.Name == "" {
			l.fail("tier", "", "is a tier without a name", "tier free { … }", nil)
			continue
		}
		if seen[t.Name] {
			l.fail("tier "+t.Name, t.Name, "is the name of another tier too", "tier "+t.Name+"2 { … }", nil)
			continue
		}
		seen[t.Name] = true
		p := &plan{tier: t}
		l.addWall(p)
		l.addRules(p)
		if t.Default != "" {
			if to, ok := l.target(p, "default", t.Default); ok {
				p.fallback = to
			}
		}
		l.plans = append(l.plans, p)
	}
}

func (l *loader) addWall(p *plan) {
	where := "tier " + p.tier.Name
	for _, word := range p.tier.Allow {
		backend, rest := splitBackend(word, l.known)
		switch {
		case backend == "" && !l.known(word):
			first, _ := splitBackend(word, func(string) bool { return true })
			if first == "" {
				first = word
			}
			l.fail(where, first, "is no backend that allow could name", "allow internal claude/*haiku*", l.names)
			continue
		case backend == "":
			backend = word
		case rest == "":
			l.fail(where, word, "names no model behind the slash", "allow "+backend+" or allow "+backend+"/*haiku*", nil)
			continue
		}
		if l.byName[backend].Disabled {
			l.warn("%s: allow %s: backend %s is disabled", where, word, backend)
		}
		p.wall = append(p.wall, wallEntry{backend: backend, glob: compileGlob(rest), whole: backend == word})
	}
	if len(p.wall) == 0 {
		l.warn("%s: nothing is allowed, so every request of this tier is refused; add a line such as: allow internal", where)
	}
}

func (l *loader) addRules(p *plan) {
	for _, r := range p.tier.Rules {
		if len(r.Match) == 0 {
			l.fail("tier "+p.tier.Name, r.To, "is the target of a route that matches nothing", "route *opus* to "+r.To, nil)
			continue
		}
		to, ok := l.target(p, "route target", r.To)
		if !ok {
			continue
		}
		compiled := planRule{to: to}
		for _, text := range r.Match {
			compiled.globs = append(compiled.globs, compileGlob(text))
		}
		p.rules = append(p.rules, compiled)
	}
}

// target reads the word behind `to` or `default`. It is false for a word that
// is wrong, which is noted, and for one whose backend is disabled, which is
// warned of: an optional key that is empty must not fail the load.
func (l *loader) target(p *plan, what, word string) (target, bool) {
	where := "tier " + p.tier.Name + ": " + what
	if isGlob(word) {
		l.fail(where, word, "is a glob; a target is one model", "route *opus* to claude-haiku-4-5", nil)
		return target{}, false
	}
	if !validName(word) {
		l.fail(where, word, "is not the name of a model", "route *opus* to claude-haiku-4-5", nil)
		return target{}, false
	}
	backend, name := splitBackend(word, l.known)
	to := target{backend: backend, name: name}
	if b := l.onlyDisabled(to); b != nil {
		l.warn("%s %s is left out: backend %s is disabled", where, word, b.Name)
		return target{}, false
	}
	return to, true
}

// onlyDisabled returns the disabled backend that the target lives on, nil if an
// enabled one has it or nobody claims it.
func (l *loader) onlyDisabled(to target) *Backend {
	if to.backend != "" {
		if b := l.byName[to.backend]; b.Disabled {
			return b
		}
		return nil
	}
	all := func(place) bool { return true }
	if _, found, _ := newDirectory(l.backends, nil, nil, nil).find(to, all); found {
		return nil
	}
	if p, found, _ := newDirectory(l.disabled, nil, nil, nil).find(to, all); found {
		return p.backend
	}
	return nil
}
