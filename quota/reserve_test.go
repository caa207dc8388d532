package quota

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestReserveTellsWhatIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		p := mustPlan(t, 4, perDay(10))
		mustReserve(t, e, p).Keep(Entry{Model: "qwen3-32b", Why: "answered", RequestID: "req_1"})
		r := mustReserve(t, e, p)
		if len(r.req.ID) != 16 || r.decision.InFlight < 1 || e.Open() != 1 {
			t.Errorf("id %q, %d in flight, %d open; want 16 characters, 1 or 2, 1", r.req.ID, r.decision.InFlight, e.Open())
		}
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		want := Use{Name: "day/requests", Unit: Requests, Period: Day, Limit: 10, Used: 2, Ends: midnight}
		if uses := r.Uses(); len(uses) != 1 || uses[0] != want {
			t.Errorf("Uses = %+v; want %+v", uses, want)
		}
		r.Keep(Entry{})
		settledAll(t, e, f, alice, fakeSubject{used: 2})
		if got := f.settled[0].Line; got != "1 requests qwen3-32b req_1 answered" {
			t.Errorf("ledger line = %q", got)
		}
	})
}

func TestReserveRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for _, tc := range []struct {
			name   string
			answer Decision
			want   Refusal
		}{
			{
				name:   "spent: the window that ends last",
				answer: Decision{Status: Spent, Windows: []WindowState{{Used: 10, Limit: 10, End: now.UnixMilli() + 60_000}, {Used: 70, Limit: 70, End: now.UnixMilli() + 90_000}}},
				want: Refusal{
					Status: Spent, Tier: "free", MaxInFlight: 4, Window: "week/requests", Unit: Requests, Period: Week, Limit: 70, Used: 70,
					Resets: time.UnixMilli(now.UnixMilli() + 90_000).UTC(), RetryAfter: 90 * time.Second,
				},
			},
			{
				name:   "spent: an override of the limit",
				answer: Decision{Status: Spent, Windows: []WindowState{{Used: 5, Limit: 5, End: now.UnixMilli() + 60_000}, {Used: 50, Limit: 70, End: now.UnixMilli() + 90_000}}},
				want: Refusal{
					Status: Spent, Tier: "free", MaxInFlight: 4, Window: "day/requests", Unit: Requests, Period: Day, Limit: 5, Used: 5,
					Resets: time.UnixMilli(now.UnixMilli() + 60_000).UTC(), RetryAfter: 60 * time.Second,
				},
			},
			{name: "revoked", answer: Decision{Status: Revoked}, want: Refusal{Status: Revoked, Tier: "free", MaxInFlight: 4}},
			{name: "paused", answer: Decision{Status: Paused}, want: Refusal{Status: Paused, Tier: "free", MaxInFlight: 4}},
			{name: "in flight", answer: Decision{Status: InFlight, InFlight: 4}, want: Refusal{Status: InFlight, Tier: "free", InFlight: 4, MaxInFlight: 4, RetryAfter: busyRetry}},
		} {
			e, f := running(t, func(o *Options) { o.InFlightWait = -1 })
			f.answer = func(int, *Request) (Decision, bool) {
				tc.answer.Now = now.UnixMilli()
				return tc.answer, true
			}
			p := mustPlan(t, 4, perDay(10), Limit{Amount: 70, Unit: Requests, Period: Week})
			_, err := e.Reserve(t.Context(), Claim{Subject: alice, Plan: p})
			var got *Refusal
			if !errors.As(err, &got) || *got != tc.want {
				t.Errorf("%s: Reserve = %+v; want %+v", tc.name, err, tc.want)
			}
		}
	})
}

func TestReserveCorrectsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ahead := range []time.Duration{-400 * time.Millisecond, 700 * time.Millisecond, 48 * time.Hour} {
			e, f := running(t)
			f.now = func() time.Time { return time.Now().Add(ahead) }
			p := mustPlan(t, Unlimited, perDay(Unlimited))
			// Each time just before the store's midnight and just after it.
			for range 3 {
				midnight := f.now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
				time.Sleep(midnight.Sub(f.now()) - time.Millisecond)
				mustReserve(t, e, p).Keep(Entry{})
				time.Sleep(time.Millisecond)
				mustReserve(t, e, p).Keep(Entry{})
			}
			if f.calls > 8 {
				t.Errorf("clock ahead by %v: 6 requests took %d calls; want one correction, not one for each", ahead, f.calls)
			}
		}
	})
}

func TestReserveGivesUpOnAClockThatNeverMeets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		f.answer = func(int, *Request) (Decision, bool) {
			return Decision{Status: Clock, Now: time.Now().UnixMilli()}, true
		}
		_, err := e.Reserve(t.Context(), Claim{Subject: alice, Plan: mustPlan(t, 4, perDay(10))})
		if !errors.Is(err, ErrUnavailable) || f.calls != mostAsks {
			t.Errorf("Reserve = %v after %d calls; want ErrUnavailable after %d", err, f.calls, mostAsks)
		}
	})
}

func TestReserveInDoubtIsGivenBack(t *testing.T) {
	hang := func(ctx context.Context, _ int, _ *Request) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, tc := range []struct {
		name     string
		script   func(*fakeStore)
		cancel   bool
		err      error
		released bool
	}{
		{name: "the reply was lost", script: func(f *fakeStore) {
			f.afterReserve = func(context.Context, int, *Request) error { return errDown }
		}, err: ErrUnavailable, released: true},
		{name: "the store hangs after it took", script: func(f *fakeStore) { f.afterReserve = hang }, err: ErrUnavailable, released: true},
		{name: "the store hangs before", script: func(f *fakeStore) { f.beforeReserve = hang }, err: ErrUnavailable, released: true},
		{name: "the caller leaves", script: func(f *fakeStore) { f.afterReserve = hang }, cancel: true, err: context.Canceled, released: true},
		{name: "the store was not asked", script: func(f *fakeStore) {
			f.beforeReserve = func(context.Context, int, *Request) error { return ErrNotAsked }
		}, err: ErrUnavailable},
		{name: "a damaged record", script: func(f *fakeStore) {
			f.beforeReserve = func(context.Context, int, *Request) error { return errDamaged }
		}, err: errDamaged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, f := running(t)
				tc.script(f)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.cancel {
					time.AfterFunc(50*time.Millisecond, cancel)
				}
				start := time.Now()
				_, err := e.Reserve(ctx, Claim{Subject: alice, Plan: mustPlan(t, 4, perDay(10))})
				if !errors.Is(err, tc.err) || !tc.cancel && !errors.Is(err, ErrUnavailable) {
					t.Errorf("Reserve = %v; want %v", err, tc.err)
				}
				if took := time.Since(start); took > 200*time.Millisecond {
					t.Errorf("Reserve took %v; want at most the timeout", took)
				}
				synctest.Wait()
				if _, settles := f.asked(); settles == 1 != tc.released {
					t.Errorf("%d settlements; want the reservation released: %v", settles, tc.released)
				}
				if s := f.state(alice); s.used != 0 || s.inFlight != 0 {
					t.Errorf("store holds %+v; want nothing", s)
				}
				for _, x := range f.settled {
					if x.Line != "" {
						t.Errorf("ledger line %q of a request that never was; want none", x.Line)
					}
				}
			})
		})
	}
}

func TestReserveWaitsForARequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		p := mustPlan(t, 2, perDay(100))
		a, b := mustReserve(t, e, p), mustReserve(t, e, p)
		start := time.Now()
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				r := mustReserve(t, e, p)
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
				r.Keep(Entry{})
			})
			synctest.Wait()
		}
		time.Sleep(50 * time.Millisecond)
		asked, _ := f.asked()
		a.Keep(Entry{})
		if _, err := b.GiveBack(t.Context(), GiveBack, Entry{}); err != nil {
			t.Errorf("GiveBack: %v", err)
		}
		wg.Wait()
		if took := time.Since(start); took > 90*time.Millisecond {
			t.Errorf("5 requests through 2 places took %v; want each woken by the one before it, at 80ms", took)
		}
		for i, got := range order {
			if got != i {
				t.Errorf("admitted in the order %v; want the order of arrival", order)
				break
			}
		}
		if asked > 2+1+1 {
			t.Errorf("%d calls while nothing ended; want the 2 admitted and 1 refused", asked)
		}
	})
}

func TestReserveInFlightEnds(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
		do    func(cancel context.CancelFunc, f *fakeStore)
		want  string
		took  time.Duration
	}{
		{name: "too late", do: func(context.CancelFunc, *fakeStore) {}, want: "requests in flight", took: 2 * time.Second},
		{name: "the caller leaves", after: 300 * time.Millisecond, do: func(cancel context.CancelFunc, _ *fakeStore) { cancel() }, want: "context canceled", took: 300 * time.Millisecond},
		{name: "another process ends one", after: 250 * time.Millisecond, do: func(_ context.CancelFunc, f *fakeStore) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.of(alice).inFlight--
		}, took: 300 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, f := running(t)
				p := mustPlan(t, 1, perDay(100))
				first := mustReserve(t, e, p)
				defer first.Keep(Entry{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(tc.after, func() {
					if tc.after > 0 {
						tc.do(cancel, f)
					}
				})
				start := time.Now()
				r, err := e.Reserve(ctx, Claim{Subject: alice, Plan: p})
				if took := time.Since(start); took != tc.took {
					t.Errorf("Reserve took %v; want %v", took, tc.took)
				}
				if tc.want == "" {
					if err != nil {
						t.Fatalf("Reserve: %v", err)
					}
					r.Keep(Entry{})
					return
				}
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("Reserve = %v; want %q", err, tc.want)
				}
			})
		})
	}
}

func TestReserveBoundsThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t, func(o *Options) { o.Waiting = 3 })
		p := mustPlan(t, 1, perDay(100))
		first := mustReserve(t, e, p)
		refused := make(chan error, 10)
		for range 10 {
			go func() {
				_, err := e.Reserve(t.Context(), Claim{Subject: alice, Plan: p})
				refused <- err
			}()
			synctest.Wait()
		}
		var r *Refusal
		for range 7 {
			if err := <-refused; !errors.As(err, &r) || r.Status != InFlight {
				t.Errorf("Reserve behind a full line = %v; want a refusal at once", err)
			}
		}
		time.Sleep(3 * time.Second)
		if reserves, _ := f.asked(); reserves > 2+3*25 {
			t.Errorf("%d calls; want only the first in line to ask now and then", reserves)
		}
		first.Keep(Entry{})
	})
}

func TestRecentRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := running(t)
		p := mustPlan(t, 4, perDay(1))
		refuse := func() {
			t.Helper()
			var r *Refusal
			if _, err := e.Reserve(t.Context(), Claim{Subject: alice, Plan: p}); !errors.As(err, &r) || r.Status != Spent {
				t.Fatalf("Reserve = %v; want spent", err)
			}
		}
		only := mustReserve(t, e, p)
		if e.Recent(alice) != nil {
			t.Error("Recent before any refusal")
		}
		refuse()
		before := e.Recent(alice)
		time.Sleep(900 * time.Millisecond)
		after := e.Recent(alice)
		if before == nil || after == nil || before.RetryAfter-after.RetryAfter != 900*time.Millisecond || after.Limit != 1 || after.Used != 1 {
			t.Errorf("Recent = %+v, 900ms later %+v; want the same with less to wait", before, after)
		}
		if e.Recent("somebody") != nil {
			t.Error("Recent of another subject")
		}
		time.Sleep(100 * time.Millisecond)
		if r := e.Recent(alice); r != nil {
			t.Errorf("Recent after a second = %+v; want nil", r)
		}
		refuse()
		if _, err := only.GiveBack(t.Context(), GiveBack, Entry{}); err != nil {
			t.Fatal(err)
		}
		if r := e.Recent(alice); r != nil {
			t.Errorf("Recent after a refund = %+v; want nil", r)
		}
	})
}

// A refusal that the store decided before a refund and that arrives after it
// says nothing about now.
func TestRecentIgnoresARefusalOlderThanARefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, f := running(t)
		p := mustPlan(t, 4, perDay(1))
		only := mustReserve(t, e, p)
		f.afterReserve = func(context.Context, int, *Request) error {
			_, err := only.GiveBack(t.Context(), GiveBack, Entry{})
			return err
		}
		if _, err := e.Reserve(t.Context(), Claim{Subject: alice, Plan: p}); err == nil {
			t.Fatal("Reserve beyond the limit was admitted")
		}
		if r := e.Recent(alice); r != nil {
			t.Errorf("Recent = %+v; want nil", r)
		}
	})
}

func TestRecentIsBounded(t *testing.T) {
	var m recent
	now := time.Unix(0, 0)
	for i := range 3 * recentMost {
		m.remember(strings.Repeat("x", i+1), &Refusal{RetryAfter: time.Hour}, now, m.generation())
	}
	if len(m.entries) != recentMost || m.size.Load() != recentMost {
		t.Errorf("%d remembered; want %d", len(m.entries), recentMost)
	}
	if m.find(strings.Repeat("x", 3*recentMost), now) == nil || m.find("x", now) != nil {
		t.Error("the oldest was kept and the newest forgotten")
	}
}
