package routing

// presume finds a home for the names that tiers spell out and nobody claims:
// the first backend that lists its models itself and that the tier may use.
// Whether it really has them is learnt when it is asked.
func (l *loader) presume() {
	dir := newDirectory(l.backends, nil, nil, nil)
	for _, p := range l.plans {
		for _, e := range p.wall {
			b := l.byName[e.backend]
			if !e.whole && e.glob.exact() && !b.Disabled && b.lists() {
				l.presumeOn(dir, b, e.glob.text)
			}
		}
		for _, to := range p.targets() {
			if _, found, _ := dir.find(to, func(place) bool { return true }); found {
				continue
			}
			if b := l.presumedHome(p, to); b != nil {
				l.presumeOn(dir, b, to.name)
			}
		}
	}
}

// presumedHome returns the backend that a target is presumed to live on; nil if
// no backend lists its models itself.
func (l *loader) presumedHome(p *plan, to target) *Backend {
	var outside *Backend
	for _, b := range l.backends {
		if !b.lists() || (to.backend != "" && to.backend != b.Name) {
			continue
		}
		if p.wall.admits(place{backend: b, model: to.name, upstream: to.name}) {
			return b
		}
		if outside == nil {
			outside = b
		}
	}
	return outside
}

func (l *loader) presumeOn(dir *directory, b *Backend, model string) {
	for _, c := range l.presumed {
		if c.backend == b && c.glob.text == model {
			return
		}
	}
	if !dir.livesOn(b, model) {
		l.presumed = append(l.presumed, claim{backend: b, glob: compileGlob(model)})
	}
}

// targets returns everything that the tier's routes and default lead to.
func (p *plan) targets() []target {
	var all []target
	for _, r := range p.rules {
		all = append(all, r.to)
	}
	if p.fallback.name != "" {
		all = append(all, p.fallback)
	}
	return all
}

// checkTargets refuses targets that live nowhere or behind the tier's own wall,
// and a default that leaves the house without the word.
func (l *loader) checkTargets(dir *directory) {
	for _, p := range l.plans {
		for i := range p.rules {
			l.checkTarget(dir, p, "route target", p.rules[i].to)
		}
		if p.fallback.name == "" {
			continue
		}
		l.checkTarget(dir, p, "default", p.fallback)
		_, _, inside := dir.find(p.fallback, p.wall.admits)
		at, _, stays := dir.find(p.fallback, p.admitsDefault)
		if inside && !stays {
			l.fail("tier "+p.tier.Name+": default", p.tier.Default,
				"sends prompts out of the house, to backend "+at.backend.Name+", which the line must say",
				"default "+p.tier.Default+" external", nil)
		}
	}
}

func (l *loader) checkTarget(dir *directory, p *plan, what string, to target) {
	where := "tier " + p.tier.Name + ": " + what
	at, found, inside := dir.find(to, p.wall.admits)
	switch {
	case inside:
	case !found:
		l.fail(where, to.name, "is a model that no backend has", "route *opus* to claude-haiku-4-5", dir.names)
	default:
		l.fail(where, to.name, "lies outside the tier's wall, on backend "+at.backend.Name,
			"allow "+at.backend.Name+"/"+to.name, nil)
	}
}
