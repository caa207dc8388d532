package store

import (
	"sync"
	"time"
)

// Value is what a [Pool] shares.
type Value interface {
	// LastUse is when somebody last asked the store.
	LastUse() time.Time
	// Close ends it.
	Close() error
}

// Pool shares open stores by key. A store that no configuration holds any
// more is not closed at once: requests that began under the old configuration
// still settle through it. It is closed when nobody has asked it for the quiet
// time, and taken up again if a configuration wants it before.
type Pool[V Value] struct {
	quiet time.Duration
	now   func() time.Time

	mu      sync.Mutex
	entries map[string]*entry[V]
}

type entry[V Value] struct {
	value V
	refs  int
	timer *time.Timer // runs while refs is 0
}

// NewPool returns an empty pool. quiet must be longer than any lease that is
// taken through a store: whoever has neither renewed nor settled by then has
// lost its charge anyway.
func NewPool[V Value](quiet time.Duration, now func() time.Time) *Pool[V] {
	return &Pool[V]{quiet: quiet, now: now, entries: make(map[string]*entry[V])}
}

// Acquire returns the store of the key, made by construct if there is none;
// loaded says that it was there. construct runs under the pool's lock: it must
// not wait for a network. Every Acquire without error needs one
// [Pool.Release].
func (p *Pool[V]) Acquire(key string, construct func() (V, error)) (value V, loaded bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.entries[key]; ok {
		if e.timer != nil {
			e.timer.Stop()
			e.timer = nil
		}
		e.refs++
		return e.value, true, nil
	}
	value, err = construct()
	if err != nil {
		return value, false, err
	}
	p.entries[key] = &entry[V]{value: value, refs: 1}
	return value, false, nil
}

// Release gives one [Pool.Acquire] back.
func (p *Pool[V]) Release(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.entries[key]
	if !ok || e.refs == 0 {
		return
	}
	e.refs--
	if e.refs == 0 {
		p.closeWhenQuiet(key, e, p.quiet)
	}
}

// closeWhenQuiet looks again after the wait. The caller holds the lock.
func (p *Pool[V]) closeWhenQuiet(key string, e *entry[V], wait time.Duration) {
	e.timer = time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.entries[key] != e || e.refs > 0 {
			return
		}
		if left := p.quiet - p.now().Sub(e.value.LastUse()); left > 0 {
			p.closeWhenQuiet(key, e, left)
			return
		}
		delete(p.entries, key)
		// Under the lock: who opens the same file next must find it free.
		// A store that nobody uses has nothing to lose by a failing Close.
		_ = e.value.Close()
	})
}
