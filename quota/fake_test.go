package quota

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
)

// fakeStore counts as a store does, in memory, for one window a subject. What
// goes wrong is scripted: a hook that returns an error makes the call fail,
// before it took effect or after.
type fakeStore struct {
	now func() time.Time

	mu      sync.Mutex
	subject map[string]*fakeSubject
	ids     map[string]string // id → "open", or how it was settled
	renewed map[string]int

	calls, settles int
	settled        []Settlement
	batches        []int

	// Scripts. The number is that of the call, from 1.
	beforeReserve func(ctx context.Context, n int, req *Request) error
	afterReserve  func(ctx context.Context, n int, req *Request) error
	beforeSettle  func(ctx context.Context, n int, batch []Settlement) error
	afterSettle   func(n int, batch []Settlement) error
	beforeRenew   func(batch []Lease) error
	answer        func(n int, req *Request) (Decision, bool)
	record        *Record
}

type fakeSubject struct {
	used, inFlight, refunds int64
}

func newFakeStore(now func() time.Time) *fakeStore {
	return &fakeStore{now: now, subject: map[string]*fakeSubject{}, ids: map[string]string{}, renewed: map[string]int{}}
}

func (f *fakeStore) of(subject string) *fakeSubject {
	s := f.subject[subject]
	if s == nil {
		s = &fakeSubject{}
		f.subject[subject] = s
	}
	return s
}

// state returns what the store holds for a subject.
func (f *fakeStore) state(subject string) fakeSubject {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *f.of(subject)
}

// asked returns how often Reserve and Settle were called.
func (f *fakeStore) asked() (reserves, settles int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.settles
}

// renewals returns how often each lease was prolonged.
func (f *fakeStore) renewals() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.renewed)
}

func (f *fakeStore) Reserve(ctx context.Context, req *Request) (Decision, error) {
	f.mu.Lock()
	f.calls++
	n := f.calls
	f.mu.Unlock()
	if err := req.Check(); err != nil {
		return Decision{}, err
	}
	if f.beforeReserve != nil {
		if err := f.beforeReserve(ctx, n, req); err != nil {
			return Decision{}, err
		}
	}
	if f.answer != nil {
		if d, ok := f.answer(n, req); ok {
			return d, nil
		}
	}
	d := f.reserve(req)
	if f.afterReserve != nil {
		if err := f.afterReserve(ctx, n, req); err != nil {
			return Decision{}, err
		}
	}
	return d, nil
}

func (f *fakeStore) reserve(req *Request) Decision {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, w := f.of(req.Subject), req.Windows[0]
	d := Decision{Now: f.now().UnixMilli(), InFlight: s.inFlight, Windows: []WindowState{{Used: s.used, Limit: w.Limit, End: w.To}}}
	switch state, known := f.ids[req.ID]; {
	case d.Now < w.From || d.Now >= w.To:
		return Decision{Status: Clock, Now: d.Now}
	case known && state == "open":
		d.Status = Replay
		return d
	case known:
		d.Status = Gone
		return d
	case w.Limit != Unlimited && s.used+w.Amount > w.Limit:
		d.Status = Spent
		return d
	case req.InFlight > 0 && s.inFlight >= req.InFlight:
		d.Status = InFlight
		return d
	}
	s.used, s.inFlight = s.used+w.Amount, s.inFlight+1
	f.ids[req.ID] = "open"
	d.InFlight, d.Windows[0].Used = s.inFlight, s.used
	return d
}

func (f *fakeStore) Settle(ctx context.Context, batch []Settlement) ([]Result, error) {
	f.mu.Lock()
	f.settles++
	n := f.settles
	f.mu.Unlock()
	if f.beforeSettle != nil {
		if err := f.beforeSettle(ctx, n, batch); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	results := make([]Result, len(batch))
	f.batches = append(f.batches, len(batch))
	for i := range batch {
		results[i] = f.settle(&batch[i])
	}
	f.mu.Unlock()
	if f.afterSettle != nil {
		if err := f.afterSettle(n, batch); err != nil {
			return nil, err
		}
	}
	return results, nil
}

func (f *fakeStore) settle(x *Settlement) Result {
	s := f.of(x.Subject)
	if state, known := f.ids[x.ID]; state != "open" {
		if !known && x.Mode != Charge {
			f.ids[x.ID] = "tombstone"
		}
		return Unknown
	}
	f.settled = append(f.settled, *x)
	f.ids[x.ID] = string(x.Mode)
	s.inFlight--
	if x.Mode == Charge {
		return Done
	}
	if x.Mode != Void {
		if s.refunds >= x.RefundCap {
			return Kept
		}
		s.refunds++
	}
	s.used--
	return Done
}

func (f *fakeStore) Renew(_ context.Context, batch []Lease) ([]bool, error) {
	if f.beforeRenew != nil {
		if err := f.beforeRenew(batch); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	alive := make([]bool, len(batch))
	for i, l := range batch {
		alive[i] = f.ids[l.ID] == "open"
		f.renewed[l.ID]++
	}
	return alive, nil
}

func (f *fakeStore) Read(context.Context, string) (Record, error) {
	if f.record == nil {
		return Record{}, errDown
	}
	return *f.record, nil
}

var (
	errDown    = fmt.Errorf("%w: connection refused", ErrUnavailable)
	errDamaged = errors.New("record of the subject is damaged")
)

const alice = "0123456789abcdef0123456789abcdef"

// running returns a started engine on a fake store. It is stopped when the test
// ends, and everything that ended must be settled by then.
func running(t *testing.T, change ...func(*Options)) (*Engine, *fakeStore) {
	t.Helper()
	store := newFakeStore(time.Now)
	o := Options{Store: store, Now: time.Now, Logger: zap.NewNop()}
	for _, c := range change {
		c(&o)
	}
	e, err := NewEngine(o)
	if err != nil {
		t.Fatalf("NewEngine: %v", err)
	}
	e.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if e.Open() != 0 {
			t.Errorf("%d reservations open at the end; want 0", e.Open())
		}
	})
	return e, store
}

func mustReserve(t testing.TB, e *Engine, p *Plan) *Reservation {
	t.Helper()
	r, err := e.Reserve(context.Background(), Claim{Subject: alice, Plan: p})
	if err != nil {
		t.Fatalf("Reserve: %v", err)
	}
	return r
}

// settledAll waits until the store was told everything.
func settledAll(t *testing.T, e *Engine, f *fakeStore, subject string, want fakeSubject) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		if e.Queued() == 0 && f.state(subject) == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("store holds %+v of %s with %d queued; want %+v", f.state(subject), subject, e.Queued(), want)
}
