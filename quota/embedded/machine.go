package embedded

import (
	"slices"
	"strings"
	"time"

	"github.com/openova-io/llm-gateway/quota"
)

// The functions of this file, settle.go and renew.go are the scripts of
// quota/redis in Go: pure, with the record, the request and the time as
// arguments, and a change as the result. Whoever changes one side changes the
// other; quotatest.RandomWalk compares them.

const (
	endedLife     = int64(quota.LateSettle / time.Millisecond) // how long an ended lease waits for a late settle, ms
	tombstoneLife = 2 * 60 * 1000                              // how long an id that was released first is refused, ms
)

// sweep ends leases that ran out (a gateway died): it frees the slot, keeps
// the floor of the charge and remembers the reservation for a late settle.
func sweep(r *record, now int64) change {
	var c change
	if !r.due(now) {
		return c
	}
	for id, v := range r.reservations {
		switch {
		case v.expiry > now:
		case v.life == live:
			c.set = append(c.set, namedReservation{id, v})
		default:
			c.deleted = append(c.deleted, id)
		}
	}
	// Which of two turns gets the credit must not hang on a map's order.
	slices.SortFunc(c.set, func(a, b namedReservation) int { return strings.Compare(a.id, b.id) })
	touched := make(map[string]counter)
	for i := range c.set {
		endLease(r, &c.set[i].reservation, touched)
		c.set[i].expiry = now + endedLife
	}
	for name, w := range touched {
		c.windows = append(c.windows, namedCounter{name, w})
	}
	return c
}

// endLease turns a live reservation into an ended one and takes its charge off
// the windows, as they stand in touched, else in the record.
func endLease(r *record, v *reservation, touched map[string]counter) {
	v.life = ended
	v.shares = slices.Clone(v.shares)
	for i := range v.shares {
		s := &v.shares[i]
		w, ok := touched[s.window]
		if !ok {
			w, ok = r.windows[s.window]
		}
		if !ok || w.start == 0 || w.start > v.at || s.floor == s.amount {
			continue
		}
		issued := max(0, s.change)
		if w.credit < issued { // somebody rode on this turn: it stays charged
			s.floor = s.amount
			continue
		}
		w.used = max(0, w.used-s.amount+s.floor)
		w.credit -= issued
		s.change = 0
		touched[s.window] = w
	}
}

// look is one window of a request: as it stands, and as it would stand.
type look struct {
	before, after quota.WindowState
	counter       counter
	share         share
	denied        bool
}

// decide looks at every window before anything is taken. The record was swept.
func decide(r *record, req *quota.Request, now int64) (quota.Decision, change) {
	looks := make([]look, len(req.Windows))
	denied := false
	for i := range req.Windows {
		if !looks[i].at(r, &req.Windows[i], now) {
			return quota.Decision{Status: quota.Clock, Now: now}, change{}
		}
		denied = denied || looks[i].denied
	}
	d := quota.Decision{Status: quota.OK, Now: now, InFlight: r.inFlight, Windows: make([]quota.WindowState, len(looks))}
	known, exists := r.reservations[req.ID]
	switch {
	case exists && known.life == live:
		d.Status = quota.Replay
	case exists:
		d.Status = quota.Gone
	case denied:
		d.Status = quota.Spent
	case req.InFlight > 0 && r.inFlight >= req.InFlight:
		d.Status = quota.InFlight
	}
	if d.Status != quota.OK {
		for i := range looks {
			d.Windows[i] = looks[i].before
		}
		return d, change{}
	}
	v := reservation{life: live, expiry: now + max(1, req.Lease.Milliseconds()), at: now, shares: make([]share, len(looks))}
	c := change{windows: make([]namedCounter, len(looks))}
	for i := range looks {
		d.Windows[i] = looks[i].after
		v.shares[i] = looks[i].share
		v.at = max(v.at, looks[i].counter.start)
		c.windows[i] = namedCounter{req.Windows[i].Name, looks[i].counter}
	}
	c.set = []namedReservation{{req.ID, v}}
	d.InFlight++
	return d, c
}

// at fills the look in; false means that the bounds are not current.
func (l *look) at(r *record, w *quota.Window, now int64) bool {
	limit := w.Limit
	if o, ok := r.control.overrides[w.Name]; ok && (o.until == 0 || o.until > now) {
		limit = o.limit
	}
	if w.Kind == quota.Rate {
		l.rate(r.windows[w.Name], w, limit, now)
		return true
	}
	return l.bucket(r.windows[w.Name], w, limit, now)
}

// rate is the generic cell rate algorithm: used is when the last admitted unit
// would have arrived at an even pace.
func (l *look) rate(stored counter, w *quota.Window, limit, now int64) {
	perUnit, burst := w.From, w.To
	old := max(stored.used, now)
	tat := old + w.Amount*perUnit
	if limit >= 0 {
		limit = burst
		l.denied = tat-now > burst*perUnit
	}
	state := func(tat int64) quota.WindowState {
		return quota.WindowState{
			Used: (tat - now + perUnit - 1) / perUnit, Limit: limit,
			End: max(now, tat+(w.Amount-burst)*perUnit),
		}
	}
	l.before, l.after = state(old), state(tat)
	l.counter = counter{used: tat, end: tat}
	l.share = share{window: w.Name, amount: w.Amount, floor: min(w.Amount, w.Floor)}
}

// bucket is a calendar or first-use window.
func (l *look) bucket(c counter, w *quota.Window, limit, now int64) bool {
	from, to := w.From, w.To
	if w.Kind == quota.FirstUse {
		start := now
		if c.end > now {
			start = c.start
		}
		from, to = now, start+w.From
	}
	current := from <= now && now < to
	switch {
	case c.end > now: // the running bucket keeps its end; only an earlier one is adopted
		if current {
			c.end = min(c.end, to)
		}
	case current:
		c = counter{start: now, end: to}
	default:
		return false
	}
	amount, issued := ride(c.credit, w)
	l.before = quota.WindowState{Used: c.used, Limit: limit, End: c.end}
	l.denied = limit >= 0 && amount > 0 && c.used+amount > limit
	c.used += amount
	c.credit += issued
	l.after = quota.WindowState{Used: c.used, Limit: limit, End: c.end}
	l.counter = c
	l.share = share{window: w.Name, amount: amount, floor: min(amount, w.Floor), change: issued}
	return true
}

// ride says what a call costs where turns are counted, and what it does to the
// credit: a turn fills it up to K, a step costs one, or a new unit when the
// credits are gone.
func ride(credit int64, w *quota.Window) (amount, issued int64) {
	switch {
	case w.Credit > 0:
		return w.Amount, max(0, w.Credit-credit)
	case w.Credit == 0:
		return w.Amount, 0
	case credit > 0:
		return 0, -1
	default:
		return 1, -w.Credit - 1
	}
}
