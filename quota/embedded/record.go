package embedded

import "github.com/openova-io/llm-gateway/quota"

// record is all that is known of one subject. It changes only by apply.
type record struct {
	windows      map[string]counter
	reservations map[string]reservation
	ledger       []line // oldest first
	control      control

	inFlight int64 // reservations in state live
	next     int64 // no reservation ends earlier, Unix ms; 0: there is none
}

// counter is one window's bucket. For a rate, start is 0 and used is the
// theoretical arrival time in Unix ms.
type counter struct {
	used, start, end   int64
	refundsF, refundsC int64 // given back for failures, for clients that left
	credit             int64 // calls that may still ride on a turn
}

// life is what became of a reservation.
type life byte

const (
	live  life = 'A' // in flight
	ended life = 'E' // its lease ran out; kept for a late settle
	gone  life = 'X' // released before it arrived
)

// reservation is one charge and how long it is remembered.
type reservation struct {
	life   life
	expiry int64 // Unix ms
	at     int64 // when it was charged, Unix ms; never before a bucket that it was charged to
	shares []share
}

// share is what a reservation took of one window.
type share struct {
	window string
	amount int64
	floor  int64 // what stays when the lease ends; of an ended lease: what stayed
	change int64 // what it did to the window's credit
}

// line is one row of the ledger.
type line struct {
	// at is when it was written, Unix ms; strictly increasing within a
	// ledger, so that a line that is applied twice is recognised.
	at   int64
	text string
}

// control is what operators set. Nothing in this version writes it.
type control struct {
	revokedBefore int64            // Unix seconds
	sessions      map[string]int64 // revoked until, Unix ms
	pausedUntil   int64            // Unix ms
	overrides     map[string]limitOverride
}

// limitOverride replaces a window's limit.
type limitOverride struct {
	limit int64
	until int64 // Unix ms; 0: for good
}

// change is what a decision does to a record. It states what is, so that
// applying it twice is applying it once.
type change struct {
	windows []namedCounter
	set     []namedReservation
	deleted []string
	line    *line
	keep    int // how many ledger lines to keep; with line only
}

type namedCounter struct {
	name string
	counter
}

type namedReservation struct {
	id string
	reservation
}

func (c *change) empty() bool {
	return len(c.windows) == 0 && len(c.set) == 0 && len(c.deleted) == 0 && c.line == nil
}

func newRecord() *record {
	return &record{windows: make(map[string]counter), reservations: make(map[string]reservation)}
}

// apply makes the change true.
func (r *record) apply(c *change) {
	for i := range c.windows {
		r.windows[c.windows[i].name] = c.windows[i].counter
	}
	for i := range c.set {
		s := &c.set[i]
		r.count(s.id, -1)
		r.reservations[s.id] = s.reservation
		r.count(s.id, 1)
		if r.next == 0 || s.expiry < r.next {
			r.next = s.expiry
		}
	}
	for _, id := range c.deleted {
		r.count(id, -1)
		delete(r.reservations, id)
	}
	if len(r.reservations) == 0 {
		r.next = 0
	}
	if c.line != nil {
		r.addLine(*c.line, c.keep)
	}
}

// count adds n to the requests in flight if the reservation is one.
func (r *record) count(id string, n int64) {
	if r.reservations[id].life == live {
		r.inFlight += n
	}
}

// due reports whether a reservation may have ended.
func (r *record) due(now int64) bool { return r.next != 0 && r.next <= now }

// swept says that all leases that had ended were dealt with.
func (r *record) swept() {
	r.next = 0
	for _, v := range r.reservations {
		if r.next == 0 || v.expiry < r.next {
			r.next = v.expiry
		}
	}
}

// addLine trims only when twice as many lines are there: trimming copies.
func (r *record) addLine(l line, keep int) {
	if l.at <= r.lastLine() {
		return
	}
	r.ledger = append(r.ledger, l)
	if len(r.ledger) >= 2*keep {
		r.ledger = append([]line(nil), r.ledger[len(r.ledger)-keep:]...)
	}
}

// lastLine is when the ledger's newest line was written; 0 if there is none.
func (r *record) lastLine() int64 {
	if len(r.ledger) == 0 {
		return 0
	}
	return r.ledger[len(r.ledger)-1].at
}

// idleLife is how long a record is kept after its last bucket or lease has
// ended, so that late settles find it, ms.
const idleLife = 25 * 60 * 60 * 1000

// ledgerLife is how long a ledger is kept after its last line, ms.
const ledgerLife = 48 * 60 * 60 * 1000

// dead reports whether nothing in the record can matter any more.
func (r *record) dead(now int64) bool {
	if c := &r.control; c.revokedBefore != 0 || len(c.overrides) > 0 || len(c.sessions) > 0 || c.pausedUntil > now {
		return false
	}
	last := int64(0)
	for _, w := range r.windows {
		last = max(last, w.end)
	}
	for _, v := range r.reservations {
		last = max(last, v.expiry)
	}
	return last+idleLife <= now && r.lastLine()+ledgerLife <= now
}

// barred answers for credentials and people that may not ask at all.
func (r *record) barred(req *quota.Request, now int64) (quota.Status, bool) {
	c := &r.control
	switch {
	case req.IssuedAt < c.revokedBefore, c.sessions[req.Session] > now:
		return quota.Revoked, true
	case c.pausedUntil > now:
		return quota.Paused, true
	}
	return quota.OK, false
}
