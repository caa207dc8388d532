package quota

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestCapFor(t *testing.T) {
	for _, tc := range []struct {
		name  string
		mode  Mode
		limit int64
		want  int64
	}{
		{name: "our fault, small limit", mode: GiveBack, limit: 10, want: 20},
		{name: "our fault, large limit", mode: GiveBack, limit: 1000, want: 1000},
		{name: "our fault, nothing allowed", mode: GiveBack, limit: 0, want: 20},
		{name: "our fault, unlimited", mode: GiveBack, limit: Unlimited, want: maxAmount},
		{name: "client left, small limit", mode: Abandon, limit: 10, want: 3},
		{name: "client left, large limit", mode: Abandon, limit: 1009, want: 100},
		{name: "client left, unlimited", mode: Abandon, limit: Unlimited, want: maxAmount},
		{name: "nothing happened", mode: Void, limit: 10, want: maxAmount},
		{name: "kept", mode: Charge, limit: 10, want: 0},
	} {
		if got := capFor(tc.mode, tc.limit); got != tc.want {
			t.Errorf("%s: capFor(%c, %d) = %d; want %d", tc.name, tc.mode, tc.limit, got, tc.want)
		}
	}
}

func TestRefundCapReadsTheLimitInForce(t *testing.T) {
	r := &Reservation{
		req:      Request{Windows: []Window{{Kind: Rate, Limit: 5}, {Kind: Calendar, Limit: 10}}},
		decision: Decision{Windows: []WindowState{{Limit: 5}, {Limit: 500}}},
	}
	if got := r.refundCap(Abandon); got != 50 {
		t.Errorf("refundCap = %d; want 50: of the overridden limit, not of the rate", got)
	}
	r.decision.Windows = nil
	if got := r.refundCap(GiveBack); got != 20 {
		t.Errorf("refundCap without an answer = %d; want 20 of the plan's limit", got)
	}
}

func TestGiveBackIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		p := mustPlan(t, 4, perDay(1))
		for i := range 4 {
			r := mustReserve(t, e, p)
			want := Done
			if i == 3 {
				want = Kept // max(3, 1/10) were given back
			}
			if got, err := r.GiveBack(t.Context(), Abandon, Entry{Why: "client left"}); got != want || err != nil {
				t.Errorf("GiveBack %d = %v, %v; want %v", i, got, err, want)
			}
			if s := f.state(alice); s.inFlight != 0 {
				t.Errorf("GiveBack %d came back before the store had it: %+v", i, s)
			}
			if got, err := r.GiveBack(t.Context(), GiveBack, Entry{}); got != Unknown || err != nil {
				t.Errorf("second GiveBack = %v, %v; want Unknown", got, err)
			}
			r.Keep(Entry{})
		}
		if s := f.state(alice); s.used != 1 || len(f.settled) != 4 {
			t.Errorf("store holds %+v after %d settlements; want 1 used, 4", s, len(f.settled))
		}
	})
}

func TestGiveBackGoesOnAfterItsTimeout(t *testing.T) {
	for _, tc := range []struct {
		name   string
		cancel time.Duration
		want   error
		after  time.Duration
	}{
		{name: "the store is slow", want: ErrUnavailable, after: 100 * time.Millisecond},
		{name: "the caller does not wait", cancel: 10 * time.Millisecond, want: context.DeadlineExceeded, after: 10 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, f := running(t)
				f.beforeSettle = func(_ context.Context, n int, _ []Settlement) error {
					time.Sleep(150 * time.Millisecond)
					if n < 4 {
						return errDown
					}
					return nil
				}
				ctx := t.Context()
				if tc.cancel > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.cancel)
					defer cancel()
				}
				r := mustReserve(t, e, mustPlan(t, 4, perDay(10)))
				start := time.Now()
				if got, err := r.GiveBack(ctx, GiveBack, Entry{}); got != Unknown || !errors.Is(err, tc.want) || time.Since(start) != tc.after {
					t.Errorf("GiveBack = %v, %v after %v; want %v after %v", got, err, time.Since(start), tc.want, tc.after)
				}
				time.Sleep(time.Second)
				if s := f.state(alice); s != (fakeSubject{refunds: 1}) {
					t.Errorf("store holds %+v; want it given back once", s)
				}
			})
		})
	}
}

// Whatever races, and whatever replies are lost, each reservation ends once.
func TestSettleExactlyOnceUnderRaces(t *testing.T) {
	var lost atomic.Int64
	e, f := running(t, func(o *Options) { o.Backlog = 16; o.Batch = 4 })
	f.afterSettle = func(n int, _ []Settlement) error {
		if n%5 == 0 {
			lost.Add(1)
			return errDown
		}
		return nil
	}
	p := mustPlan(t, Unlimited, perDay(Unlimited))
	const requests = 300
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range requests / 8 {
				r := mustReserve(t, e, p)
				var race sync.WaitGroup
				race.Go(func() { r.Keep(Entry{Why: "answered"}) })
				race.Go(func() { _, _ = r.GiveBack(t.Context(), GiveBack, Entry{Why: "refunded"}) })
				race.Go(func() { _, _ = r.GiveBack(t.Context(), Abandon, Entry{Why: "left"}) })
				race.Wait()
			}
		})
	}
	wg.Wait()
	ended := int64(requests / 8 * 8)
	deadline := time.Now().Add(10 * time.Second)
	for e.Queued() > 0 || f.state(alice).inFlight > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("store holds %+v, %d queued; want all settled", f.state(alice), e.Queued())
		}
		time.Sleep(time.Millisecond)
	}
	f.mu.Lock()
	seen, kept := map[string]bool{}, int64(0)
	for _, s := range f.settled {
		if seen[s.ID] {
			t.Errorf("%s was settled twice", s.ID)
		}
		seen[s.ID] = true
		if s.Mode == Charge {
			kept++
		}
	}
	f.mu.Unlock()
	if s := f.state(alice); int64(len(seen)) != ended || s.used != kept || lost.Load() == 0 {
		t.Errorf("%d of %d settled, %d used, %d kept, %d replies lost; want all, used = kept, some lost", len(seen), ended, s.used, kept, lost.Load())
	}
}

func TestKeepIsBatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		release := make(chan struct{})
		f.beforeSettle = func(context.Context, int, []Settlement) error {
			<-release
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		for range 601 {
			mustReserve(t, e, p).Keep(Entry{})
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		want := []int{1, 256, 256, 88}
		if len(f.batches) != len(want) {
			t.Fatalf("batches of %v; want %v", f.batches, want)
		}
		for i := range want {
			if f.batches[i] != want[i] {
				t.Errorf("batches of %v; want %v", f.batches, want)
			}
		}
	})
}

func TestFullBacklogHoldsCallersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t, func(o *Options) { o.Backlog, o.Batch = 4, 2 })
		release := make(chan struct{})
		f.beforeSettle = func(context.Context, int, []Settlement) error {
			<-release
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		var done atomic.Int64
		for range 10 {
			r := mustReserve(t, e, p)
			go func() {
				r.Keep(Entry{})
				done.Add(1)
			}()
			synctest.Wait()
		}
		if done.Load() != 5 || e.Queued() != 4 {
			t.Errorf("%d kept, %d queued; want 1 under way, 4 queued and 5 callers waiting", done.Load(), e.Queued())
		}
		close(release)
		synctest.Wait()
		if s := f.state(alice); done.Load() != 10 || s.inFlight != 0 || s.used != 10 {
			t.Errorf("%d kept, store holds %+v; want all 10 settled", done.Load(), s)
		}
	})
}

// A store that hangs holds nobody up for longer than RefundTimeout, and what
// could not wait is not lost while it has room.
func TestFullBacklogHoldsNobodyUpForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t, func(o *Options) { o.Backlog, o.Batch = 4, 2 })
		release := make(chan struct{})
		f.beforeSettle = func(context.Context, int, []Settlement) error {
			<-release
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		keep := func() time.Duration {
			r, start := mustReserve(t, e, p), time.Now()
			r.Keep(Entry{})
			return time.Since(start)
		}
		keep()
		synctest.Wait() // it is under way
		for range 4 {
			if took := keep(); took != 0 {
				t.Errorf("Keep took %v while there was room; want no time", took)
			}
		}
		for range 10 {
			if took := keep(); took != 100*time.Millisecond {
				t.Errorf("Keep took %v of a full backlog; want 100ms", took)
			}
		}
		back, start := mustReserve(t, e, p), time.Now()
		if got, err := back.GiveBack(t.Context(), GiveBack, Entry{}); got != Unknown || !errors.Is(err, ErrUnavailable) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("GiveBack = %v, %v after %v; want ErrUnavailable after 100ms", got, err, time.Since(start))
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		back, start = mustReserve(t, e, p), time.Now()
		if got, err := back.GiveBack(gone, Abandon, Entry{}); got != Unknown || !errors.Is(err, context.Canceled) || time.Since(start) != 0 {
			t.Errorf("GiveBack of a caller that left = %v, %v after %v; want its cancel at once", got, err, time.Since(start))
		}
		if e.Queued() != 16 || e.Lost() != 0 {
			t.Fatalf("%d queued, %d lost; want four times the size and nothing lost", e.Queued(), e.Lost())
		}
		if took := keep(); took != 100*time.Millisecond || e.Lost() != 1 || e.Queued() != 16 {
			t.Errorf("Keep took %v, %d lost, %d queued; want 100ms and one lost beyond the bound", took, e.Lost(), e.Queued())
		}
		close(release)
		synctest.Wait()
		if s := f.state(alice); s.used != 16 || s.inFlight != 1 || s.refunds != 2 {
			t.Errorf("store holds %+v; want all settled but the lost one", s)
		}
	})
}

// A refund is waited for: it does not stand behind charges that nobody waits for.
func TestRefundsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t, func(o *Options) { o.Batch = 2 })
		f.beforeSettle = func(context.Context, int, []Settlement) error {
			time.Sleep(30 * time.Millisecond)
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		for range 20 {
			mustReserve(t, e, p).Keep(Entry{})
		}
		if got, err := mustReserve(t, e, p).GiveBack(t.Context(), GiveBack, Entry{}); got != Done || err != nil {
			t.Errorf("GiveBack = %v, %v; want it done within its timeout", got, err)
		}
	})
}

// The store remembers a reservation for ten minutes after its lease ran out: so
// long a settlement is worth another call.
func TestSettleRetriesWhileTheStoreRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.ErrorLevel)
		e, f := running(t, func(o *Options) { o.Lease = 5 * time.Second; o.Logger = zap.New(core) })
		var down atomic.Bool
		down.Store(true)
		f.beforeSettle = func(context.Context, int, []Settlement) error {
			if down.Load() {
				return errDown
			}
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		for range 10 {
			mustReserve(t, e, p).Keep(Entry{})
		}
		time.Sleep(10 * time.Minute)
		mustReserve(t, e, p).Keep(Entry{})
		if e.Lost() != 0 || logs.Len() != 0 {
			t.Errorf("%d given up in %d log lines while the store remembers them; want none", e.Lost(), logs.Len())
		}
		time.Sleep(7 * time.Second)
		if e.Lost() != 10 || logs.Len() != 1 {
			t.Errorf("%d given up in %d log lines; want the 10 that the store has forgotten, in 1", e.Lost(), logs.Len())
		}
		if _, settles := f.asked(); settles > 700 {
			t.Errorf("%d calls in 10m of a store that is down; want one a second", settles)
		}
		down.Store(false)
		time.Sleep(2 * time.Second)
		if s := f.state(alice); s.inFlight != 10 {
			t.Errorf("store holds %+v; want the 11th settled", s)
		}
	})
}

// A reservation that may never have been made is over with its lease.
func TestAReleaseInDoubtEndsWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		f.beforeReserve = func(context.Context, int, *Request) error { return errDown }
		f.beforeSettle = func(context.Context, int, []Settlement) error { return errDown }
		if _, err := e.Reserve(t.Context(), Claim{Subject: alice, Plan: mustPlan(t, 4, perDay(10))}); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("Reserve = %v; want ErrUnavailable", err)
		}
		time.Sleep(58 * time.Second)
		if e.Lost() != 0 {
			t.Errorf("%d given up within the lease; want none", e.Lost())
		}
		time.Sleep(4 * time.Second)
		if e.Lost() != 1 {
			t.Errorf("%d given up after the lease; want 1", e.Lost())
		}
	})
}

func TestADamagedSubjectHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		f.beforeSettle = func(_ context.Context, _ int, batch []Settlement) error {
			time.Sleep(time.Millisecond)
			for _, s := range batch {
				if s.Subject == "damaged" {
					return errDamaged
				}
			}
			return nil
		}
		for i := range 30 {
			subject := alice
			if i == 17 {
				subject = "damaged"
			}
			r, err := e.Reserve(t.Context(), Claim{Subject: subject, Plan: p})
			if err != nil {
				t.Fatal(err)
			}
			r.Keep(Entry{})
		}
		time.Sleep(time.Second)
		if s := f.state(alice); s.inFlight != 0 || s.used != 29 || e.Lost() != 1 {
			t.Errorf("store holds %+v, %d lost; want 29 settled and 1 lost", s, e.Lost())
		}
	})
}
