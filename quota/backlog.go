package quota

import (
	"sync"
	"time"
)

// ending is one reservation on its way to be settled.
type ending struct {
	reservation *Reservation
	mode        Mode
	entry       Entry
	silent      bool        // leaves no line in the ledger: there was no request
	since       time.Time   // when it was put into the backlog
	ack         chan Result // has room for one; nil if nobody waits
}

// backlog holds the endings that the store has not acknowledged yet. It is
// bounded: who finds it full waits, since an ending must not be lost.
type backlog struct {
	most int

	mu      sync.Mutex
	some    sync.Cond // there is an ending, or the backlog is closing
	room    sync.Cond // there is room, or the backlog was closed
	refunds lane      // somebody waits for these
	charges lane
	closing bool // no more than what is there
	closed  bool // nobody takes any more
}

func newBacklog(most int) *backlog {
	b := &backlog{most: most}
	b.some.L, b.room.L = &b.mu, &b.mu
	return b
}

// put adds an ending and waits for room if it must. It reports false when the
// backlog is closed.
func (b *backlog) put(x ending) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.length() >= b.most && !b.closed {
		b.room.Wait()
	}
	return b.push(x)
}

// offer adds an ending if there is room.
func (b *backlog) offer(x ending) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.length() >= b.most {
		return false
	}
	return b.push(x)
}

func (b *backlog) push(x ending) bool {
	if b.closed {
		return false
	}
	if x.mode == Charge {
		b.charges.push(x)
	} else {
		b.refunds.push(x)
	}
	b.some.Signal()
	return true
}

// take appends at most n endings to dst, refunds first, and waits for the first
// one. Once the backlog is closing it returns what is left, then nothing for good.
func (b *backlog) take(dst []ending, n int) []ending {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.length() == 0 && !b.closing {
		b.some.Wait()
	}
	if b.length() == 0 {
		b.closed = true
	}
	dst = b.refunds.shift(dst, n)
	dst = b.charges.shift(dst, n-len(dst))
	b.room.Broadcast()
	return dst
}

// finish makes take return nothing once the backlog is empty.
func (b *backlog) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closing = true
	b.some.Signal()
}

// abandon closes the backlog with what is in it, and returns how much that was.
func (b *backlog) abandon() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closing, b.closed = true, true
	left := b.length()
	b.refunds, b.charges = lane{}, lane{}
	b.some.Signal()
	b.room.Broadcast()
	return left
}

func (b *backlog) length() int { return b.refunds.length() + b.charges.length() }

// lane is a first-in first-out list.
type lane struct {
	items []ending
	head  int
}

func (l *lane) length() int { return len(l.items) - l.head }

func (l *lane) push(x ending) {
	if l.head > len(l.items)/2 && len(l.items) == cap(l.items) {
		n := copy(l.items, l.items[l.head:])
		clear(l.items[n:])
		l.items, l.head = l.items[:n], 0
	}
	l.items = append(l.items, x)
}

// shift moves at most n items to dst.
func (l *lane) shift(dst []ending, n int) []ending {
	n = min(n, l.length())
	taken := l.items[l.head : l.head+n]
	dst = append(dst, taken...)
	clear(taken) // their reservations are garbage soon
	l.head += n
	if l.head == len(l.items) {
		l.items, l.head = l.items[:0], 0
	}
	return dst
}
