package routing

import "iter"

// place is one answer to "where does this name live?".
type place struct {
	backend *Backend
	// model is the name that people know, upstream the id that is sent.
	model, upstream string
	// pattern is the word of the configuration that claimed the name.
	pattern string
	// standIn tells that model names a retired model and upstream another one.
	standIn bool
}

// claim says that names live on a backend: those that fit a glob, or those that
// the backend lists.
type claim struct {
	backend *Backend
	glob    glob
	listed  map[string]Model // instead of the glob where it is not nil
}

func (c *claim) holds(name string) bool {
	if c.listed != nil {
		_, ok := c.listed[name]
		return ok
	}
	return c.glob.match(name)
}

// directory is what lives where, at one moment. It is never changed after it
// was built.
type directory struct {
	public map[string][]place
	// claims stand in order of precedence: written by the operator, default,
	// presumed; the order of the file within each.
	claims []claim
	// names are all names that configuration or a backend's list spells out
	// and that live somewhere, in the order of backends.
	names []string
	named map[string]struct{}
	// spelled holds names and every other word that a metric's label may say.
	spelled map[string]struct{}
	learnt  map[string]map[string]Model
}

// places yields where a name lives, the first being the one that counts: public
// names, then claims.
func (d *directory) places(name string) iter.Seq[place] {
	return func(yield func(place) bool) {
		for _, p := range d.public[name] {
			if !yield(p) {
				return
			}
		}
		for i := range d.claims {
			c := &d.claims[i]
			if !c.holds(name) {
				continue
			}
			pattern := c.glob.text
			if c.listed != nil {
				pattern = name
			}
			if !yield(place{backend: c.backend, model: name, upstream: name, pattern: pattern}) {
				return
			}
		}
	}
}

// find returns the first place of the target that is admitted, else the first
// at all. A name that lives on two backends thus reaches the one that the
// tier's wall holds.
func (d *directory) find(t target, admits func(place) bool) (p place, found, admitted bool) {
	for candidate := range d.places(t.name) {
		if t.backend != "" && candidate.backend.Name != t.backend {
			continue
		}
		if admits(candidate) {
			return candidate, true, true
		}
		if !found {
			p, found = candidate, true
		}
	}
	return p, found, false
}

// label returns the bounded form of a name for a metric: the name where it is
// spelled out, else the pattern that claims it.
func (d *directory) label(name, pattern string) string {
	if _, ok := d.spelled[name]; ok {
		return name
	}
	if pattern != "" {
		return pattern
	}
	return LabelOther
}

// newDirectory builds the directory of the enabled backends. presumed are
// claims that nothing but a tier's own words support.
func newDirectory(backends []*Backend, lists map[string][]Model, presumed []claim, words []string) *directory {
	d := &directory{
		public:  map[string][]place{},
		named:   map[string]struct{}{},
		spelled: map[string]struct{}{},
		learnt:  map[string]map[string]Model{},
	}
	for _, b := range backends {
		d.learnt[b.Name] = indexModels(lists[b.Name])
	}
	for _, explicit := range []bool{true, false} {
		for _, b := range backends {
			if b.Explicit == explicit {
				d.claim(b)
			}
		}
	}
	d.claims = append(d.claims, presumed...)
	for _, word := range words {
		d.spelled[word] = struct{}{}
	}
	for _, b := range backends {
		d.name(b, lists[b.Name], presumed)
	}
	for _, word := range words {
		for range d.places(word) {
			d.addName(word)
			break
		}
	}
	return d
}

func indexModels(models []Model) map[string]Model {
	index := make(map[string]Model, len(models))
	for _, m := range models {
		index[m.ID] = m
	}
	return index
}

// claim adds what lives on the backend.
func (d *directory) claim(b *Backend) {
	if b.lists() {
		d.claims = append(d.claims, claim{backend: b, listed: d.learnt[b.Name]})
		return
	}
	for _, text := range b.globs() {
		d.claims = append(d.claims, claim{backend: b, glob: compileGlob(text)})
	}
}

// name adds the names of one backend: its models, then its public names.
func (d *directory) name(b *Backend, list []Model, presumed []claim) {
	models := d.ownNames(b, list, presumed)
	for _, m := range models {
		d.addName(m)
	}
	for _, n := range b.Names {
		d.addPublic(b, n, false)
	}
	for _, n := range retiredNames[b.API] {
		if _, taken := d.public[n.Public]; !taken && d.livesOn(b, n.Upstream) && !d.livesOnByList(n.Public) {
			d.addPublic(b, n, true)
		}
	}
	if !b.internal() {
		return
	}
	for _, m := range models {
		public := internalName(m)
		if !isPublicOf(d.public[public], b) && m != public && len(public) <= maxName {
			d.addPublic(b, PublicName{Public: public, Upstream: m}, false)
		}
	}
}

// ownNames returns the models of a backend that configuration, its list or a
// tier spells out.
func (d *directory) ownNames(b *Backend, list []Model, presumed []claim) []string {
	var names []string
	for _, text := range b.globs() {
		if !isGlob(text) {
			names = append(names, text)
		}
	}
	for _, m := range list {
		if d.livesOn(b, m.ID) {
			names = append(names, m.ID)
		}
	}
	if len(list) == 0 && !b.Explicit {
		names = append(names, knownModels[b.API]...)
	}
	for _, c := range presumed {
		if c.backend == b {
			names = append(names, c.glob.text)
		}
	}
	return names
}

func (d *directory) livesOn(b *Backend, model string) bool {
	for i := range d.claims {
		if d.claims[i].backend == b && d.claims[i].holds(model) {
			return true
		}
	}
	return false
}

// livesOnByList reports whether some backend really lists the name, so that
// nothing has to stand in for it.
func (d *directory) livesOnByList(model string) bool {
	for _, list := range d.learnt {
		if _, ok := list[model]; ok {
			return true
		}
	}
	return false
}

func isPublicOf(places []place, b *Backend) bool {
	for _, p := range places {
		if p.backend == b {
			return true
		}
	}
	return false
}

func (d *directory) addPublic(b *Backend, n PublicName, standIn bool) {
	d.public[n.Public] = append(d.public[n.Public], place{
		backend: b, model: n.Public, upstream: n.Upstream, pattern: n.Public, standIn: standIn,
	})
	d.addName(n.Public)
}

// addName adds a name once. Spelled words that live nowhere are no names.
func (d *directory) addName(name string) {
	d.spelled[name] = struct{}{}
	if _, known := d.named[name]; known {
		return
	}
	d.named[name] = struct{}{}
	d.names = append(d.names, name)
}
