package quotatest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/quota"
)

// RandomWalk does the same random operations to two stores and compares every
// decision and, after it, the record. Buckets end far away and leases end
// either at once or never, so that the difference of the stores' clocks cannot
// be seen.
func RandomWalk(t *testing.T, a, b quota.Store, seed uint64, steps int) {
	w := &walk{t: t, a: a, b: b, rng: rand.New(rand.NewPCG(seed, 1))}
	w.renewSubjects()
	for i := range steps {
		if i%400 == 399 {
			w.renewSubjects() // records stay small enough to compare at every step
		}
		subject := w.subjects[w.rng.IntN(len(w.subjects))]
		what := w.step(subject)
		w.compareRecords(subject, what)
		if t.Failed() {
			t.Fatalf("seed %d, step %d: %s", seed, i, what)
		}
	}
}

// walk is one random walk.
type walk struct {
	t        *testing.T
	a, b     quota.Store
	rng      *rand.Rand
	subjects []string
	known    []*quota.Request // reserved, settled or not
}

func (w *walk) renewSubjects() {
	w.known = nil
	w.subjects = []string{newSubject(), newSubject(), newSubject()}
}

// step does one operation and says which.
func (w *walk) step(subject string) string {
	switch n := w.rng.IntN(100); {
	case n < 50:
		return w.reserve(w.request(subject))
	case n < 55 && len(w.known) > 0: // a lost reply
		return w.reserve(w.pick())
	case n < 57:
		return w.endLease(subject)
	case n < 62 && len(w.known) > 0:
		return w.renew()
	case n < 64: // released before it arrives
		r := w.request(subject)
		w.known = append(w.known, r)
		return w.settle(r)
	case len(w.known) > 0:
		return w.settle(w.pick())
	}
	return w.reserve(w.request(subject))
}

func (w *walk) pick() *quota.Request { return w.known[w.rng.IntN(len(w.known))] }

// request makes a charge of one to four windows of every kind.
func (w *walk) request(subject string) *quota.Request {
	r := &quota.Request{ID: newID(), Subject: subject, Lease: time.Hour, InFlight: int64(w.rng.IntN(12)), IssuedAt: w.rng.Int64N(5)}
	menu := []func() quota.Window{w.day, w.tokens, w.turn, w.firstUse, w.rate}
	w.rng.Shuffle(len(menu), func(i, j int) { menu[i], menu[j] = menu[j], menu[i] })
	for _, window := range menu[:1+w.rng.IntN(4)] {
		r.Windows = append(r.Windows, window())
	}
	return r
}

func (w *walk) limit(n int64) int64 {
	if w.rng.IntN(5) == 0 {
		return quota.Unlimited
	}
	return 1 + w.rng.Int64N(n)
}

func (w *walk) day() quota.Window {
	d := daily(w.limit(40))
	d.To -= w.rng.Int64N(3) * 1000 // earlier ends are adopted
	if w.rng.IntN(20) == 0 {
		d.From, d.To = never, never+1 // bounds that are not current
	}
	return d
}

func (w *walk) tokens() quota.Window {
	amount := w.rng.Int64N(1000)
	return quota.Window{
		Name: "day/tokens", Kind: quota.Calendar, Limit: w.limit(20_000), Amount: amount,
		Floor: w.rng.Int64N(amount + 1), From: 1, To: never,
	}
}

func (w *walk) turn() quota.Window {
	return turns(w.limit(20), 1+w.rng.Int64N(4), w.rng.IntN(3) == 0)
}

func (w *walk) firstUse() quota.Window { return lasting(24*time.Hour, w.limit(40)) }

// rate has a pace that the clocks' difference cannot reach.
func (w *walk) rate() quota.Window {
	const hour = 3_600_000
	return quota.Window{Name: "hour/requests", Kind: quota.Rate, Limit: w.limit(9), Amount: 1 + w.rng.Int64N(2), From: hour, To: 60}
}

func (w *walk) reserve(r *quota.Request) string {
	what := fmt.Sprintf("Reserve(%+v)", *r)
	got, errA := w.a.Reserve(w.t.Context(), r)
	want, errB := w.b.Reserve(w.t.Context(), r)
	if errA != nil || errB != nil {
		w.t.Fatalf("%s: %v, %v", what, errA, errB)
	}
	for _, d := range []*quota.Decision{&got, &want} {
		d.Now = 0
		for i := range d.Windows {
			d.Windows[i].End = blur(d.Windows[i].End)
		}
		if len(d.Windows) == 0 {
			d.Windows = nil
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		w.t.Errorf("%s: the decisions differ:\n%s", what, diff)
	}
	if got.Status == quota.OK {
		w.known = append(w.known, r)
	}
	if r.Lease == ending {
		time.Sleep(3 * ending)
	}
	return what
}

// blur takes out of a time what two clocks cannot agree on: ends that were
// computed from the moment are all the same, ends that were given stay.
func blur(ms int64) int64 {
	if ms < never/2 {
		return 0
	}
	return ms
}

// ending is a lease that has ended for both stores when the next step comes.
const ending = time.Millisecond

// endLease makes a reservation and waits until its lease has ended.
func (w *walk) endLease(subject string) string {
	r := w.request(subject)
	r.Lease = ending
	return w.reserve(r) + ", lease ended"
}

func (w *walk) renew() string {
	var batch []quota.Lease
	for range 1 + w.rng.IntN(3) {
		r := w.pick()
		batch = append(batch, quota.Lease{ID: r.ID, Subject: r.Subject, Lease: 2 * time.Hour})
	}
	what := fmt.Sprintf("Renew(%+v)", batch)
	got, errA := w.a.Renew(w.t.Context(), batch)
	want, errB := w.b.Renew(w.t.Context(), batch)
	if diff := cmp.Diff(got, want); errA != nil || errB != nil || diff != "" {
		w.t.Errorf("%s: %v, %v\n%s", what, errA, errB, diff)
	}
	return what
}

func (w *walk) settle(r *quota.Request) string {
	st := quota.Settlement{
		ID: r.ID, Subject: r.Subject, RefundCap: w.rng.Int64N(8), Line: "line-" + r.ID,
		Mode: []quota.Mode{quota.Charge, quota.Charge, quota.GiveBack, quota.Abandon, quota.Void}[w.rng.IntN(5)],
	}
	if w.rng.IntN(2) == 0 {
		st.Actual = map[string]int64{"day/tokens": w.rng.Int64N(2000)}
	}
	what := fmt.Sprintf("Settle(%+v)", st)
	batch := []quota.Settlement{st}
	if w.rng.IntN(10) == 0 { // a retried pipeline
		batch = append(batch, st)
	}
	got, errA := w.a.Settle(w.t.Context(), batch)
	want, errB := w.b.Settle(w.t.Context(), batch)
	if diff := cmp.Diff(got, want); errA != nil || errB != nil || diff != "" {
		w.t.Errorf("%s: %v, %v\n%s", what, errA, errB, diff)
	}
	return what
}

// compareRecords reads both stores, without what their clocks say.
func (w *walk) compareRecords(subject, what string) {
	var records [2]quota.Record
	for i, s := range []quota.Store{w.a, w.b} {
		rec, err := s.Read(w.t.Context(), subject)
		if err != nil {
			w.t.Fatalf("%s: Read: %v", what, err)
		}
		rec.Now = 0
		for name, v := range rec.Windows {
			v.Start, v.End = min(v.Start, 1), blur(v.End)
			rec.Windows[name] = v
		}
		for n, line := range rec.Ledger {
			_, rec.Ledger[n], _ = strings.Cut(line, " ")
		}
		rec.Ledger = append([]string(nil), rec.Ledger[:min(len(rec.Ledger), 20)]...)
		records[i] = rec
	}
	if diff := cmp.Diff(records[0], records[1]); diff != "" {
		w.t.Errorf("%s: the records differ:\n%s", what, diff)
	}
}
