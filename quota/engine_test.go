package quota

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStopFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		f.beforeSettle = func(_ context.Context, n int, _ []Settlement) error {
			time.Sleep(50 * time.Millisecond)
			if n == 2 {
				return errDown
			}
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		streaming := mustReserve(t, e, p)
		for range 600 {
			mustReserve(t, e, p).Keep(Entry{})
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Fatalf("Stop: %v", err)
		}
		if s := f.state(alice); s.inFlight != 1 || s.used != 601 {
			t.Errorf("store holds %+v after Stop; want all but the running one settled", s)
		}
		if _, err := e.Reserve(t.Context(), Claim{Subject: alice, Plan: p}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Reserve after Stop = %v; want ErrUnavailable", err)
		}
		if got, err := streaming.GiveBack(t.Context(), GiveBack, Entry{}); got != Done || err != nil {
			t.Errorf("GiveBack after Stop = %v, %v; want it done at once", got, err)
		}
	})
}

func TestStopFlushesWhatWasNeverStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeStore(time.Now)
		e, err := NewEngine(Options{Store: f, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		mustReserve(t, e, mustPlan(t, 4, perDay(10))).Keep(Entry{})
		if err := e.Stop(t.Context()); err != nil || f.state(alice) != (fakeSubject{used: 1}) {
			t.Errorf("Stop = %v, store holds %+v; want it settled", err, f.state(alice))
		}
	})
}

func TestStopEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeStore(time.Now)
		f.beforeSettle = func(ctx context.Context, _ int, _ []Settlement) error {
			<-ctx.Done()
			return errDown
		}
		e, err := NewEngine(Options{Store: f, Now: time.Now, Backlog: 2, Batch: 1})
		if err != nil {
			t.Fatal(err)
		}
		e.Start()
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		for range 5 { // one under way, two queued, two callers waiting
			r := mustReserve(t, e, p)
			go r.Keep(Entry{})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := e.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("Stop = %v after %v; want DeadlineExceeded after 3s", err, time.Since(start))
		}
		time.Sleep(time.Second) // those that waited for room try by themselves
		if e.Lost() != 5 {
			t.Errorf("%d given up; want all 5 counted", e.Lost())
		}
	})
}

func TestNewEngineRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no store":        {Now: time.Now},
		"no clock":        {Store: newFakeStore(time.Now)},
		"an hour's lease": {Store: newFakeStore(time.Now), Now: time.Now, Lease: time.Hour},
		"negative time":   {Store: newFakeStore(time.Now), Now: time.Now, StoreTimeout: -1},
		"negative lease":  {Store: newFakeStore(time.Now), Now: time.Now, Lease: -1},
	} {
		if _, err := NewEngine(o); err == nil {
			t.Errorf("%s: NewEngine gave no error", name)
		}
	}
}

func TestLeasesAreProlonged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		long, ended := mustReserve(t, e, p), mustReserve(t, e, p)
		time.Sleep(19 * time.Second)
		ended.Keep(Entry{})
		young := mustReserve(t, e, p)
		time.Sleep(2 * time.Second)
		if f.renewals()[long.req.ID] != 1 || f.renewals()[young.req.ID] != 0 || f.renewals()[ended.req.ID] != 0 {
			t.Errorf("renewed after 21s: %v; want only the one that has run 20s", f.renewals())
		}
		time.Sleep(40 * time.Second)
		if f.renewals()[long.req.ID] != 3 || f.renewals()[young.req.ID] != 2 {
			t.Errorf("renewed after 61s: %v; want 3 and 2 times", f.renewals())
		}
		f.mu.Lock()
		f.ids[young.req.ID] = "lapsed"
		f.mu.Unlock()
		time.Sleep(60 * time.Second)
		if f.renewals()[long.req.ID] != 6 || f.renewals()[young.req.ID] != 3 {
			t.Errorf("renewed after 121s: %v; want the lapsed one asked for once more only", f.renewals())
		}
		long.Keep(Entry{})
		young.Keep(Entry{})
	})
}

func TestLeasesAreTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		calls := 0
		f.beforeRenew = func([]Lease) error {
			if calls++; calls < 4 {
				return errDown
			}
			return nil
		}
		r := mustReserve(t, e, mustPlan(t, 4, perDay(10)))
		time.Sleep(36 * time.Second)
		if f.renewals()[r.req.ID] != 1 {
			t.Errorf("renewed %d times by 36s after 3 failures; want once, at 35s", f.renewals()[r.req.ID])
		}
		r.Keep(Entry{})
	})
}

// A call that fails holds up no leases but its own.
func TestOneFailingCallHoldsUpNoOtherLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		calls := 0
		f.beforeRenew = func([]Lease) error {
			if calls++; calls == 1 {
				return errDamaged
			}
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		var open []*Reservation
		for range 2500 {
			open = append(open, mustReserve(t, e, p))
		}
		time.Sleep(21 * time.Second)
		synctest.Wait()
		if n := len(f.renewals()); n != 2500-1024 {
			t.Errorf("%d leases prolonged when the first call failed; want the other %d", n, 2500-1024)
		}
		time.Sleep(5 * time.Second)
		if n := len(f.renewals()); n != 2500 {
			t.Errorf("%d leases prolonged soon after; want all", n)
		}
		for _, r := range open {
			r.Keep(Entry{})
		}
	})
}

// What may take how long follows from how far away the store is.
func TestTimeoutsFollowTheStore(t *testing.T) {
	for _, tc := range []struct {
		store, reserve, refund, settle time.Duration
	}{
		{0, 200 * time.Millisecond, 100 * time.Millisecond, time.Second},
		{20 * time.Millisecond, 200 * time.Millisecond, 100 * time.Millisecond, time.Second},
		{150 * time.Millisecond, 200 * time.Millisecond, 100 * time.Millisecond, time.Second},
		{3 * time.Second, 4 * time.Second, 2 * time.Second, 20 * time.Second},
	} {
		e, err := NewEngine(Options{Store: newFakeStore(time.Now), Now: time.Now, StoreTimeout: tc.store})
		if err != nil {
			t.Fatal(err)
		}
		if o := e.opts; o.ReserveTimeout != tc.reserve || o.RefundTimeout != tc.refund || o.SettleTimeout != tc.settle {
			t.Errorf("store %v: reserve %v, refund %v, settle %v; want %v, %v, %v",
				tc.store, o.ReserveTimeout, o.RefundTimeout, o.SettleTimeout, tc.reserve, tc.refund, tc.settle)
		}
	}
}

// A store that is far away is asked, not given up.
func TestADistantStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t, func(o *Options) { o.StoreTimeout = 2 * time.Second })
		distance := func(ctx context.Context) error {
			select {
			case <-time.After(1200 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return errDown
			}
		}
		f.beforeReserve = func(ctx context.Context, _ int, _ *Request) error { return distance(ctx) }
		f.beforeSettle = func(ctx context.Context, _ int, _ []Settlement) error { return distance(ctx) }
		r := mustReserve(t, e, mustPlan(t, 4, perDay(10)))
		if got, err := r.GiveBack(t.Context(), GiveBack, Entry{}); got != Done || err != nil {
			t.Errorf("GiveBack = %v, %v; want it done in 1.2s", got, err)
		}
	})
}

func TestManyLeasesGoInFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		var sizes []int
		f.beforeRenew = func(batch []Lease) error {
			sizes = append(sizes, len(batch))
			return nil
		}
		p := mustPlan(t, Unlimited, perDay(Unlimited))
		var open []*Reservation
		for range 1500 {
			open = append(open, mustReserve(t, e, p))
		}
		if e.Open() != 1500 {
			t.Errorf("Open = %d; want 1500", e.Open())
		}
		time.Sleep(21 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]int{1024, 476}, sizes); diff != "" {
			t.Errorf("leases per call (-want +got):\n%s", diff)
		}
		for _, r := range open {
			r.Keep(Entry{})
		}
	})
}

func TestUsage(t *testing.T) {
	now := time.Date(2026, 11, 23, 18, 48, 0, 0, time.UTC)
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	hours := func(h int) time.Time { return midnight.Add(time.Duration(h) * time.Hour) }
	stored := func(used, reserved int64, from, to time.Time) map[string]RecordWindow {
		return map[string]RecordWindow{"day/requests": {Used: used, Reserved: reserved, Start: from.UnixMilli(), End: to.UnixMilli()}}
	}
	for _, tc := range []struct {
		name   string
		limit  int64
		stored map[string]RecordWindow
		want   WindowUsage
	}{
		{name: "an unknown subject", limit: 10, want: WindowUsage{Limit: 10, Remaining: 10, Starts: hours(0), Ends: hours(24)}},
		{name: "some used, some reserved", limit: 1000, stored: stored(414, 2, hours(0), hours(24)), want: WindowUsage{Limit: 1000, Used: 412, Reserved: 2, Remaining: 586, Starts: hours(0), Ends: hours(24)}},
		{name: "an ended bucket", limit: 10, stored: stored(10, 1, hours(-24), hours(0)), want: WindowUsage{Limit: 10, Remaining: 10, Starts: hours(0), Ends: hours(24)}},
		{name: "a bucket of an older plan", limit: 10, stored: stored(4, 0, hours(6), hours(30)), want: WindowUsage{Limit: 10, Used: 4, Remaining: 6, Starts: hours(6), Ends: hours(30)}},
		{name: "a lowered limit", limit: 5, stored: stored(9, 1, hours(0), hours(24)), want: WindowUsage{Limit: 5, Used: 8, Reserved: 1, Remaining: 0, Starts: hours(0), Ends: hours(24)}},
		{name: "unlimited", limit: Unlimited, stored: stored(1843, 3, hours(0), hours(24)), want: WindowUsage{Limit: Unlimited, Used: 1840, Reserved: 3, Remaining: Unlimited, Starts: hours(0), Ends: hours(24)}},
		{name: "running since yesterday", limit: 10, stored: stored(1, 3, hours(0), hours(24)), want: WindowUsage{Limit: 10, Used: 0, Reserved: 1, Remaining: 9, Starts: hours(0), Ends: hours(24)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFakeStore(func() time.Time { return now })
			f.record = &Record{
				Now: now.UnixMilli(), InFlight: 2, Windows: tc.stored,
				Ledger: []string{"1795459211000 DONE s 1 requests claude-haiku-4-5 req_1 answered", "not a line"},
			}
			e, err := NewEngine(Options{Store: f, Now: func() time.Time { return now.Add(time.Hour) }})
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Name, tc.want.Unit, tc.want.Period = "day/requests", Requests, Day
			want := Usage{
				Now: now, Windows: []WindowUsage{tc.want}, InFlight: 2, MaxInFlight: 4,
				Ledger: []Entry{{At: time.UnixMilli(1795459211000).UTC(), Change: -1, Unit: Requests, Model: "claude-haiku-4-5", Why: "answered", RequestID: "req_1"}},
			}
			got, err := e.Usage(t.Context(), alice, mustPlan(t, 4, perDay(tc.limit)))
			if err != nil {
				t.Fatalf("Usage: %v", err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Usage (-want +got):\n%s", diff)
			}
			if w := got.Windows[0]; w.Limit != Unlimited && w.Remaining > 0 && w.Used+w.Reserved+w.Remaining != w.Limit {
				t.Errorf("%+v does not add up", w)
			}
		})
	}
}

func TestUsageOfAStoreThatIsDown(t *testing.T) {
	e, err := NewEngine(Options{Store: newFakeStore(time.Now), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Usage(t.Context(), alice, mustPlan(t, 4, perDay(10))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Usage = %v; want ErrUnavailable", err)
	}
}
