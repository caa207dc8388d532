package store

import (
	"sync"
	"time"
)

// Breaker keeps callers away from a store that does not answer, so that they
// fail at once instead of each waiting for a timeout. The zero value is not
// usable; see [NewBreaker].
//
//	closed ──3 failures in a row──► open ──every 250 ms one caller passes──► probing
//	probing ──success──► closed     probing ──failure──► open
//
// The probe is a caller's own request: a ping would say nothing about a store
// that answers but refuses to write.
type Breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int       // in a row; open from breakerFailures on
	retry    time.Time // when open: the next probe may pass
}

const (
	breakerFailures = 3
	breakerPause    = 250 * time.Millisecond
)

// NewBreaker returns a closed breaker on the clock now.
func NewBreaker(now func() time.Time) *Breaker {
	return &Breaker{now: now}
}

// Allow reports whether the store may be asked now. Who was allowed must call
// [Breaker.Done] or [Breaker.Forget].
func (b *Breaker) Allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakerFailures {
		return true
	}
	now := b.now()
	if now.Before(b.retry) {
		return false
	}
	b.retry = now.Add(breakerPause) // a probe that hangs does not hold up the next
	return true
}

// Done says how asking went: ok is true if the store answered, whatever it
// answered.
func (b *Breaker) Done(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failures = 0
		return
	}
	if b.failures < breakerFailures {
		b.failures++
	}
	if b.failures == breakerFailures {
		b.retry = b.now().Add(breakerPause)
	}
}

// Forget takes an [Breaker.Allow] back that said nothing about the store: the
// caller gave up first. An open breaker lets the next caller probe.
func (b *Breaker) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures >= breakerFailures {
		b.retry = b.now()
	}
}

// Open reports whether the breaker keeps callers away.
func (b *Breaker) Open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= breakerFailures
}
