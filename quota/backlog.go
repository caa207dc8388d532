package quota

import (
	"context"
	"errors"
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

// backlog holds the endings that the store has not acknowledged yet.
//
// It is bounded twice. From most on, whoever adds one waits for room, which
// slows those down who make the work. Nobody waits without end: whose time is
// up adds all the same, up to overfull, since an ending that is given up is a
// charge lost.
type backlog struct {
	most, overfull int

	mu      sync.Mutex
	some    sync.Cond     // there is an ending, or the backlog is closing
	room    chan struct{} // closed when there is room, or the backlog was closed
	waiting int           // for room
	awaited lane          // somebody waits for these: they go first
	others  lane
	closing bool // no more than what is there
	closed  bool // nobody takes any more
}

// overfill is how many times its size the backlog holds at the very most.
const overfill = 4

var (
	errBacklogFull   = errors.New("quota: far too many settlements under way")
	errBacklogClosed = errors.New("quota: the engine has stopped")
)

func newBacklog(most int) *backlog {
	b := &backlog{most: most, overfull: overfill * most, room: make(chan struct{})}
	b.some.L = &b.mu
	return b
}

// put adds an ending, and waits for room until ctx ends if it must.
func (b *backlog) put(ctx context.Context, x ending) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.length() >= b.most && !b.closed && ctx.Err() == nil {
		room := b.room
		b.waiting++
		b.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		b.mu.Lock()
		b.waiting--
	}
	return b.push(x, b.overfull)
}

// offer adds an ending if there are fewer than limit.
func (b *backlog) offer(x ending, limit int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.push(x, limit)
}

func (b *backlog) push(x ending, limit int) error {
	switch {
	case b.closed:
		return errBacklogClosed
	case b.length() >= limit:
		return errBacklogFull
	case x.ack != nil:
		b.awaited.push(x)
	default:
		b.others.push(x)
	}
	b.some.Signal()
	return nil
}

// wakeWaiting lets those look again who wait for room. The caller holds the
// lock.
func (b *backlog) wakeWaiting() {
	if b.waiting > 0 {
		close(b.room)
		b.room = make(chan struct{})
	}
}

// take appends at most n endings to dst, the awaited first, and waits for the first
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
	dst = b.awaited.shift(dst, n)
	dst = b.others.shift(dst, n-len(dst))
	b.wakeWaiting()
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
	b.awaited, b.others = lane{}, lane{}
	b.some.Signal()
	b.wakeWaiting()
	return left
}

func (b *backlog) length() int { return b.awaited.length() + b.others.length() }

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
