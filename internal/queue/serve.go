package queue

// What a Gate does under its lock: who gets what becomes free.

// fits reports whether a key that holds some places may hold one more.
func fits(held, limit int) bool { return limit <= 0 || held < limit }

// idle reports whether there is enough weight and nobody waits for it.
func (g *Gate) idle(weight int64) bool {
	return g.growing.head == nil && g.common.head == nil && g.free >= weight
}

// leave returns a place of the key to those that wait for it.
func (g *Gate) leave(key string) {
	g.keys[key].held--
	g.serveKey(key)
}

// serveKey gives free places of a key to the first in its line, and forgets a
// key that nobody uses.
func (g *Gate) serveKey(key string) {
	p := g.keys[key]
	if p == nil {
		return
	}
	for w := p.line.head; w != nil && fits(p.held, w.limit); w = p.line.head {
		p.held++
		p.line.remove(w)
		w.signal()
	}
	if p.held == 0 && p.line.head == nil {
		delete(g.keys, key)
		p.next, g.unused = g.unused, p
	}
}

// serveBudget gives free weight to those that wait, first those that grow. A
// heavy caller at the head is not passed, so that it is served at all.
func (g *Gate) serveBudget() {
	for _, l := range [...]*line{&g.growing, &g.common} {
		for w := l.head; w != nil; w = l.head {
			if w.weight > g.free {
				return
			}
			g.free -= w.weight
			l.remove(w)
			w.signal()
		}
	}
}

// placesOf returns what a key holds; for a new key an entry that is used again
// where there is one.
func (g *Gate) placesOf(key string) *places {
	if p := g.keys[key]; p != nil {
		return p
	}
	p := g.unused
	if p == nil {
		p = new(places)
	} else {
		g.unused, p.next = p.next, nil
	}
	g.keys[key] = p
	return p
}
