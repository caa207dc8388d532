package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Turns lets callers with the same key try for something one after the other,
// in the order they came: whoever stands first tries when it is woken, or now
// and then; the others wait without trying. It is safe for concurrent use.
type Turns struct {
	perKey  int
	waiting atomic.Int64

	mu   sync.Mutex
	keys map[string]*line
}

// NewTurns returns turns for which at most perKey callers of one key wait.
func NewTurns(perKey int) *Turns {
	return &Turns{perKey: perKey, keys: make(map[string]*line)}
}

// Turn is one caller's place in the line of a key.
type Turn struct {
	turns *Turns
	key   string
	w     waiter
}

// Busy reports whether anybody waits for the key. Who comes now and does not
// want to overtake has to join. It costs one load while nobody waits at all.
func (t *Turns) Busy(key string) bool {
	if t.waiting.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[key] != nil
}

// Join puts the caller at the end of the key's line, which it must Leave. It
// fails with [ErrKeyFull] when too many stand there.
func (t *Turns) Join(key string) (*Turn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.keys[key]
	if l == nil {
		l = new(line)
	}
	if l.length >= t.perKey {
		return nil, ErrKeyFull
	}
	t.keys[key] = l
	turn := &Turn{turns: t, key: key, w: waiter{ready: make(chan struct{}, 1)}}
	l.push(&turn.w)
	t.waiting.Add(1)
	return turn, nil
}

// Wake lets the first in the key's line try now.
func (t *Turns) Wake(key string) {
	if t.waiting.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.keys[key]; l != nil {
		l.head.signal()
	}
}

// Next blocks until the caller stands first and may try: it was woken, those
// before it left, or the time every has passed. If ctx ends first, Next returns
// its error.
func (t *Turn) Next(ctx context.Context, every time.Duration) error {
	// While others stand before this caller the tick passes unheard.
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.w.ready:
			return nil
		case <-tick.C:
			if t.first() {
				return nil
			}
		}
	}
}

func (t *Turn) first() bool {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	return t.w.in != nil && t.w.in.head == &t.w
}

// Leave takes the caller out of the line, whether it got what it wanted or not.
// If it stood first, the next one may try at once. Called again, it does nothing.
func (t *Turn) Leave() {
	s := t.turns
	s.mu.Lock()
	defer s.mu.Unlock()
	l := t.w.in
	if l == nil {
		return
	}
	wasFirst := l.head == &t.w
	l.remove(&t.w)
	s.waiting.Add(-1)
	switch {
	case l.head == nil:
		delete(s.keys, t.key)
	case wasFirst:
		l.head.signal()
	}
}
