// Package queue makes callers wait for their turn: by key, in order, bounded,
// and without a trace of those who stop waiting.
//
// [Gate] hands out places by key and weight from a common budget. [Turns] lets
// those who wait for one key try one after the other. The package knows neither
// what a key is nor what is waited for; it starts no goroutines.
package queue

import "errors"

// ErrKeyFull means that the key has no place left, or too many wait for one.
var ErrKeyFull = errors.New("no place left for this key")

// ErrBudget means that the common budget has no room.
var ErrBudget = errors.New("no room left in the budget")

// waiter is one caller in a line. All fields are guarded by the lock of the
// structure that it waits in.
type waiter struct {
	prev, next *waiter
	in         *line // nil: in no line

	weight int64 // what it wants of a budget
	limit  int   // what its key may hold

	// ready has room for one signal, so that signalling never blocks.
	ready chan struct{}
}

func (w *waiter) signal() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// line is a first-in first-out queue from which anyone may leave. The zero
// value is empty.
type line struct {
	head, tail *waiter
	length     int
}

func (l *line) push(w *waiter) {
	w.in, w.prev, w.next = l, l.tail, nil
	if l.tail == nil {
		l.head = w
	} else {
		l.tail.next = w
	}
	l.tail = w
	l.length++
}

func (l *line) remove(w *waiter) {
	if w.prev == nil {
		l.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
	l.length--
}
