package routing

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Table says where a tier's requests go. It is safe for concurrent use;
// [Table.Learn] replaces what it knows of a backend's models in one step.
type Table struct {
	backends []*Backend // enabled ones, in the order of the file
	byName   map[string]*Backend
	plans    []*plan
	presumed []claim

	learning sync.Mutex // serialises Learn
	lists    map[string][]Model
	current  atomic.Pointer[snapshot]
}

// snapshot is everything that changes when a backend's list is learnt.
type snapshot struct {
	dir   *directory
	tiers map[string]*tierView
}

// tierView is one tier in a snapshot: its plan and what was resolved already.
type tierView struct {
	plan    *plan
	visible []VisibleModel
	allowed []string
	memo    memo
}

// NewTable compiles backends and tiers. With any error the table is nil;
// errors are [*LoadError]s, warnings are sentences for the operator.
//
// It asks nobody: what a backend without configured models serves is learnt
// later. Until then, and where its list lacks the name, a model that a tier
// names as a target, a default or in its wall and that no backend claims counts
// as living on the first such backend that the tier may use. A default tier
// thus works with `qwen3-32b` before vLLM has been asked.
func NewTable(backends []Backend, tiers []Tier) (*Table, []error, []string) {
	l := &loader{byName: map[string]*Backend{}}
	l.addBackends(backends)
	l.addTiers(tiers)
	l.presume()
	t := &Table{
		backends: l.backends, byName: l.byName, plans: l.plans, presumed: l.presumed,
		lists: map[string][]Model{},
	}
	dir := t.directory()
	l.checkTargets(dir)
	if len(l.errors) > 0 {
		return nil, l.errors, l.warnings
	}
	t.publish(dir)
	return t, nil, l.warnings
}

// maxLearnt is how many models of one backend a table keeps, so that a
// backend's list cannot grow memory and metric labels without bound.
const maxLearnt = 1024

// Learn replaces what a backend says it serves. Names that no request could
// ask for and all beyond 1,024 are left out; an unknown backend is ignored.
func (t *Table) Learn(backend string, models []Model) {
	b := t.byName[backend]
	if b == nil || b.Disabled {
		return
	}
	kept := make([]Model, 0, min(len(models), maxLearnt))
	for _, m := range models {
		if len(kept) == maxLearnt {
			break
		}
		if validName(m.ID) {
			kept = append(kept, m)
		}
	}
	t.learning.Lock()
	defer t.learning.Unlock()
	t.lists[backend] = kept
	t.publish(t.directory())
}

// Backend returns a configured backend, also a disabled one; nil if there is
// none of that name. Callers must not change it.
func (t *Table) Backend(name string) *Backend { return t.byName[name] }

// Model returns what the backend said about a model; only the ID is set where
// it said nothing.
func (t *Table) Model(backend, upstream string) Model {
	if m, ok := t.current.Load().dir.learnt[backend][upstream]; ok {
		return m
	}
	return Model{ID: upstream}
}

// Resolve returns where a request of the tier for a model goes, or a [*Denial].
func (t *Table) Resolve(tier, asked string) (Route, error) {
	s := t.current.Load()
	view := s.tiers[tier]
	if view == nil {
		return Route{}, &Denial{Tier: tier, Asked: asked, Kind: ErrDenied, Pattern: LabelOther}
	}
	if r, ok := view.memo.get(asked); ok {
		return r, nil
	}
	// The asked name is often part of a whole request body.
	asked = strings.Clone(asked)
	r, err := view.decide(s.dir, asked)
	if err == nil {
		view.memo.put(asked, r)
	}
	return r, err
}

// decide is the routing decision: the first rule that matches, else the asked
// model inside the wall, else the default, else a refusal.
func (v *tierView) decide(dir *directory, asked string) (Route, error) {
	if !validName(asked) {
		return Route{}, v.deny(asked, ErrUnknown, LabelOther)
	}
	for i := range v.plan.rules {
		rule := &v.plan.rules[i]
		pattern, ok := rule.match(asked)
		if !ok {
			continue
		}
		at, found, inside := dir.find(rule.to, v.plan.wall.admits)
		if !inside {
			return Route{}, v.deny(asked, denialKind(found), dir.label(asked, pattern))
		}
		return dir.route(at, asked, ReasonRule, dir.label(asked, pattern)), nil
	}
	at, found, inside := dir.find(target{name: asked}, v.plan.wall.admits)
	label := dir.label(asked, at.pattern)
	if inside {
		return dir.route(at, asked, ReasonAsked, label), nil
	}
	// A name with a slash that nothing here claims was meant for another
	// gateway ("azure/gpt-4"): a default would hide the mistake.
	if v.plan.fallback.name != "" && !strings.Contains(asked, "/") {
		if fallback, _, ok := dir.find(v.plan.fallback, v.plan.admitsDefault); ok {
			return dir.route(fallback, asked, ReasonDefault, label), nil
		}
	}
	return Route{}, v.deny(asked, denialKind(found), label)
}

func (v *tierView) deny(asked string, kind error, label string) *Denial {
	return &Denial{Tier: v.plan.tier.Name, Asked: asked, Kind: kind, Pattern: label, Allowed: v.allowed}
}

func denialKind(found bool) error {
	if found {
		return ErrDenied
	}
	return ErrUnknown
}

// route makes the place the answer to what was asked; from is the metric's
// label of that. A rule that leads to the very name that was asked for changed
// nothing, so the reason is "asked".
func (d *directory) route(p place, asked string, why Reason, from string) Route {
	if p.model == asked {
		why = ReasonAsked
	}
	return Route{
		Backend: p.backend.Name, Model: p.model, Upstream: p.upstream,
		Reason: why, Pattern: from, Label: d.label(p.model, p.pattern),
		Same: p.model == asked && !p.standIn,
	}
}

// directory builds what lives where from configuration and the lists so far.
func (t *Table) directory() *directory {
	var words []string
	for _, p := range t.plans {
		words = append(words, p.words()...)
	}
	return newDirectory(t.backends, t.lists, t.presumed, words)
}

// publish makes a directory the one that requests see. The memos start empty.
func (t *Table) publish(dir *directory) {
	s := &snapshot{dir: dir, tiers: make(map[string]*tierView, len(t.plans))}
	for _, p := range t.plans {
		v := &tierView{plan: p}
		v.visible = v.look(dir)
		for _, m := range v.visible {
			v.allowed = append(v.allowed, m.ID)
		}
		v.allowed = slices.Clip(v.allowed)
		s.tiers[p.tier.Name] = v
	}
	t.current.Store(s)
}
