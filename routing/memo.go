package routing

import "sync"

// memoSize is how many resolved names one tier remembers.
const memoSize = 1024

// memo remembers the routes of one tier, so that a repeated name costs one map
// lookup. It is bounded: full, it starts again, because what fills it are names
// that somebody makes up.
type memo struct {
	mu     sync.RWMutex
	routes map[string]Route
}

func (m *memo) get(asked string) (Route, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.routes[asked]
	return r, ok
}

func (m *memo) put(asked string, r Route) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.routes == nil || len(m.routes) >= memoSize {
		m.routes = make(map[string]Route)
	}
	m.routes[asked] = r
}
