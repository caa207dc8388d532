package queue

import (
	"context"
	"sync"
	"time"
)

// Gate hands out places: each key holds a number of them, all keys together a
// weight. The weight is what a request's body takes in memory, say. A Gate is
// safe for concurrent use.
//
// Who waits for a place of a key is served in order of arrival, and only then
// for weight, again in order of arrival. So one key never has more callers in
// the common line than it may hold places.
type Gate struct {
	budget  int64
	perLine int

	mu      sync.Mutex
	free    int64
	keys    map[string]*places
	unused  *places // places of keys that are gone, to be used again
	growing line    // callers that hold a place and need more weight
	common  line    // callers that wait for weight with their first place
}

// places is what one key holds and who waits for it.
type places struct {
	held int
	line line
	next *places // in Gate.unused
}

// NewGate returns a gate with a budget of weight. At most perKey callers wait
// for a place of one key; the next is refused at once.
func NewGate(budget int64, perKey int) *Gate {
	return &Gate{budget: budget, free: budget, perLine: perKey, keys: make(map[string]*places)}
}

// Hold is one place with its weight. The zero value holds nothing. A Hold is
// not safe for concurrent use and must not be copied once it is used.
type Hold struct {
	gate   *Gate
	key    string
	weight int64
}

// Acquire takes a place of the key, which may hold limit of them (0 or less:
// any number), and weight from the budget. It waits at most the given time for
// both together, then fails with [ErrKeyFull] or [ErrBudget]; if ctx ends
// first, with its error. A weight beyond the whole budget fails at once.
func (g *Gate) Acquire(ctx context.Context, key string, limit int, weight int64, wait time.Duration) (Hold, error) {
	if weight > g.budget || weight < 0 {
		return Hold{}, ErrBudget
	}
	if hold, ok := g.acquireNow(key, limit, weight); ok {
		return hold, nil
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	w := &waiter{weight: weight, limit: limit, ready: make(chan struct{}, 1)}
	if err := g.awaitPlace(limited, key, w); err != nil {
		return Hold{}, outcome(ctx, err)
	}
	if err := g.awaitWeight(limited, key, w); err != nil {
		return Hold{}, outcome(ctx, err)
	}
	return Hold{gate: g, key: key, weight: weight}, nil
}

// acquireNow takes place and weight if nobody has to wait for either.
func (g *Gate) acquireNow(key string, limit int, weight int64) (Hold, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.idle(weight) {
		return Hold{}, false
	}
	p := g.placesOf(key)
	if p.line.head != nil || !fits(p.held, limit) {
		return Hold{}, false
	}
	p.held++
	g.free -= weight
	return Hold{gate: g, key: key, weight: weight}, true
}

// awaitPlace takes a place of the key, waiting in the key's line if it must.
func (g *Gate) awaitPlace(ctx context.Context, key string, w *waiter) error {
	g.mu.Lock()
	p := g.placesOf(key)
	if p.line.head == nil && fits(p.held, w.limit) {
		p.held++
		g.mu.Unlock()
		return nil
	}
	if p.line.length >= g.perLine {
		g.mu.Unlock()
		return ErrKeyFull
	}
	p.line.push(w)
	g.mu.Unlock()
	if g.served(ctx, w) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serveKey(key) // the next may fit where this one did not
	return ErrKeyFull
}

// awaitWeight takes weight with a place of the key in hand, waiting in the
// common line if it must. On failure the place is given back.
func (g *Gate) awaitWeight(ctx context.Context, key string, w *waiter) error {
	g.mu.Lock()
	if g.idle(w.weight) {
		g.free -= w.weight
		g.mu.Unlock()
		return nil
	}
	g.common.push(w)
	g.mu.Unlock()
	if g.served(ctx, w) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leave(key)
	g.serveBudget()
	return ErrBudget
}

// served blocks until w was served or ctx has ended, and reports which. A
// caller that was served in that very moment has what it waited for; any other
// has left its line.
func (g *Gate) served(ctx context.Context, w *waiter) bool {
	select {
	case <-w.ready:
		return true
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.in == nil {
		<-w.ready // sent under the lock when the caller left its line
		return true
	}
	w.in.remove(w)
	return false
}

// outcome tells a caller that left from one that has waited long enough.
func outcome(ctx context.Context, full error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return full
}

// Grow adds n to the weight. Callers that grow are served before those that
// have no place yet, since only they can end. It waits like Acquire; when it
// fails, the Hold is as before.
func (h *Hold) Grow(ctx context.Context, n int64, wait time.Duration) error {
	g := h.gate
	if n < 0 || n > g.budget-h.weight {
		return ErrBudget
	}
	g.mu.Lock()
	if g.growing.head == nil && g.free >= n {
		g.free -= n
		g.mu.Unlock()
		h.weight += n
		return nil
	}
	w := &waiter{weight: n, ready: make(chan struct{}, 1)}
	g.growing.push(w)
	g.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if !g.served(limited, w) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.serveBudget()
		return outcome(ctx, ErrBudget)
	}
	h.weight += n
	return nil
}

// Weight is what the Hold has of the budget.
func (h *Hold) Weight() int64 { return h.weight }

// Release gives everything back. Called again, it does nothing.
func (h *Hold) Release() {
	g := h.gate
	if g == nil {
		return
	}
	g.mu.Lock()
	g.free += h.weight
	g.leave(h.key)
	g.serveBudget()
	g.mu.Unlock()
	*h = Hold{}
}

// Free is how much of the budget nobody holds.
func (g *Gate) Free() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free
}
