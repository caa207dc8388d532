package embedded_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	journal "github.com/openova-io/llm-gateway/internal/store/embedded"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/embedded"
)

// clock is moved by hand.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ms.Store(1_700_000_000_000)
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func reserve(t testing.TB, s *embedded.Store, req *quota.Request) quota.Decision {
	t.Helper()
	d, err := s.Reserve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t testing.TB, s *embedded.Store, subject string) quota.Record {
	t.Helper()
	rec, err := s.Read(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// A lease ends at its millisecond, not before.
func TestLeaseEndsOnTheDot(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.now)
	req := charge("a")
	req.Lease = time.Minute
	reserve(t, s, req)
	c.advance(time.Minute - time.Millisecond)
	if rec := read(t, s, alice); rec.InFlight != 1 || rec.Windows["day/requests"].Used != 1 {
		t.Errorf("a millisecond before its end: %+v", rec)
	}
	c.advance(time.Millisecond)
	if rec := read(t, s, alice); rec.InFlight != 0 || rec.Windows["day/requests"].Used != 0 {
		t.Errorf("at its end: %+v", rec)
	}
	if d := reserve(t, s, charge("b")); d.InFlight != 1 || d.Windows[0].Used != 1 {
		t.Errorf("the next request: %+v", d)
	}
}

// A lease that was renewed past its first end must not be looked for again at
// every request.
func TestSweepLooksAhead(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.now)
	req := charge("a")
	req.Lease = time.Minute
	reserve(t, s, req)
	if _, err := s.Renew(t.Context(), []quota.Lease{{ID: "a", Subject: alice, Lease: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * time.Minute)
	reserve(t, s, charge("b"))
	if s.Due(alice) {
		t.Error("a sweep is due again right after one")
	}
	c.advance(time.Hour)
	if !s.Due(alice) {
		t.Error("no sweep is due when the renewed lease has ended")
	}
}

// A settle may be late by ten minutes; after that the id is forgotten.
func TestLateSettleIsAwaited(t *testing.T) {
	for _, tc := range []struct {
		late time.Duration
		want quota.Result
	}{{9 * time.Minute, quota.Late}, {11 * time.Minute, quota.Unknown}} {
		c := newClock()
		s := open(t, t.TempDir(), c.now)
		req := charge("a")
		req.Lease = time.Second
		reserve(t, s, req)
		c.advance(time.Second)
		reserve(t, s, charge("b")) // finds the ended lease
		c.advance(tc.late)
		reserve(t, s, charge("c"))
		got, err := s.Settle(t.Context(), []quota.Settlement{{ID: "a", Subject: alice, Mode: quota.Charge}})
		if err != nil || got[0] != tc.want {
			t.Errorf("%v late: %v, %v; want %v", tc.late, got, err, tc.want)
		}
	}
}

func TestCalendarBucketsFollowEachOther(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.now)
	day := func() *quota.Request {
		req := charge(fmt.Sprint("id", c.ms.Load()))
		const length = 24 * 60 * 60 * 1000
		from := c.ms.Load() / length * length
		req.Windows[0].From, req.Windows[0].To, req.Windows[0].Limit = from, from+length, 1
		return req
	}
	for i := range 3 {
		if d := reserve(t, s, day()); d.Status != quota.OK {
			t.Fatalf("day %d: %+v", i, d)
		}
		c.advance(time.Millisecond)
		if d := reserve(t, s, day()); d.Status != quota.Spent {
			t.Fatalf("day %d, second request: %+v", i, d)
		}
		c.advance(24 * time.Hour)
	}
}

// What was stored is there after a reopen, in every kind of field.
func TestReopened(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	s := open(t, dir, c.now)
	req := charge("a")
	req.Windows = append(req.Windows,
		quota.Window{Name: "5h/turns", Kind: quota.FirstUse, Limit: 9, Amount: 1, From: 18_000_000, Credit: 5},
		quota.Window{Name: "minute/requests", Kind: quota.Rate, Limit: 9, Amount: 1, From: 1000, To: 9})
	reserve(t, s, req)
	reserve(t, s, charge("b"))
	reserve(t, s, charge("c"))
	for _, st := range []quota.Settlement{
		{ID: "b", Mode: quota.GiveBack, RefundCap: 1, Line: "gave back"},
		{ID: "c", Mode: quota.Charge, Line: "kept"},
		{ID: "never", Mode: quota.GiveBack},
	} {
		st.Subject = alice
		if _, err := s.Settle(t.Context(), []quota.Settlement{st}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Renew(t.Context(), []quota.Lease{{ID: "a", Subject: alice, Lease: 3 * time.Hour}}); err != nil {
		t.Fatal(err)
	}
	want := read(t, s, alice)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * time.Hour) // only the renewal keeps a alive
	s = open(t, dir, c.now)
	got := read(t, s, alice)
	want.Now, got.Now = 0, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("before and after differ:\n%s", diff)
	}
	c.advance(-2 * time.Hour) // the tombstone lives two minutes
	if d := reserve(t, s, charge("never")); d.Status != quota.Gone {
		t.Errorf("released before it arrived: %+v", d)
	}
	if got, err := s.Settle(t.Context(), []quota.Settlement{{ID: "a", Subject: alice, Mode: quota.GiveBack, RefundCap: 1}}); err != nil || got[0] != quota.Kept {
		t.Errorf("the refund counter was forgotten: %v, %v", got, err)
	}
}

func TestIdleSubjectsAreForgotten(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	s := open(t, dir, c.now)
	for i := range 100 {
		req := charge("a")
		req.Subject = fmt.Sprintf("%032x", i)
		req.Windows[0].Kind, req.Windows[0].From = quota.FirstUse, time.Hour.Milliseconds()
		reserve(t, s, req)
	}
	c.advance(26*time.Hour - time.Millisecond)
	s.DropDead()
	if n := s.Subjects(); n != 100 {
		t.Errorf("%d subjects before 25 idle hours; want 100", n)
	}
	c.advance(time.Hour)
	s.DropDead()
	if n := s.Subjects(); n != 0 {
		t.Errorf("%d subjects after 25 idle hours; want 0", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := open(t, dir, c.now).Subjects(); n != 0 {
		t.Errorf("%d subjects came back from the journal", n)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.now)
	for i := range 230 {
		id := fmt.Sprint("id", i)
		reserve(t, s, charge(id))
		if _, err := s.Settle(t.Context(), []quota.Settlement{{ID: id, Subject: alice, Mode: quota.Charge, Line: id}}); err != nil {
			t.Fatal(err)
		}
	}
	got := read(t, s, alice).Ledger
	if len(got) != 50 || !strings.HasSuffix(got[0], " id229") || !strings.HasSuffix(got[49], " id180") {
		t.Errorf("%d lines from %q to %q; want the last 50", len(got), got[0], got[len(got)-1])
	}
	c.advance(49 * time.Hour)
	if got := read(t, s, alice).Ledger; len(got) != 0 {
		t.Errorf("%d lines after 48 hours", len(got))
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, time.Now)
	if _, _, err := embedded.Open(dir, time.Now); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("Open = %v; want ErrInUse", err)
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	s := open(t, t.TempDir(), time.Now)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(t.Context(), charge("a")); !errors.Is(err, quota.ErrUnavailable) {
		t.Errorf("Reserve = %v; want ErrUnavailable", err)
	}
	if rec := read(t, s, alice); rec.InFlight != 0 || len(rec.Windows) != 0 {
		t.Errorf("a charge that was not written down was taken: %+v", rec)
	}
}

func BenchmarkReserveAndSettle(b *testing.B) {
	s := open(b, b.TempDir(), time.Now)
	ids := make([]string, 4096)
	for i := range ids {
		ids[i] = fmt.Sprintf("%016d", i)
	}
	ctx := b.Context()
	batch := make([]quota.Settlement, 1)
	req := charge("")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		req.ID = ids[i%len(ids)]
		if d, err := s.Reserve(ctx, req); err != nil || d.Status != quota.OK {
			b.Fatal(d, err)
		}
		batch[0] = quota.Settlement{ID: req.ID, Subject: alice, Mode: quota.Charge, Line: "1 requests qwen3-32b"}
		if _, err := s.Settle(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReserveRefused(b *testing.B) {
	s := open(b, b.TempDir(), time.Now)
	req := charge("a")
	req.Windows[0].Limit = 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Reserve(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// A clock that was set back makes no refund vanish: the charge belongs to the
// bucket that took it, though that one begins in the future now.
func TestClockSetBack(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.now)
	reserve(t, s, charge("first")) // opens the bucket
	c.advance(-10 * time.Second)
	for i := range 3 {
		id := fmt.Sprint("back", i)
		if d := reserve(t, s, charge(id)); d.Status != quota.OK || d.Windows[0].Used != 2 {
			t.Fatalf("Reserve = %+v; want the second of two", d)
		}
		if rec := read(t, s, alice); rec.Windows["day/requests"].Reserved != 2 {
			t.Errorf("reserved %+v; want 2", rec.Windows["day/requests"])
		}
		got, err := s.Settle(t.Context(), []quota.Settlement{{ID: id, Subject: alice, Mode: quota.GiveBack, RefundCap: 20}})
		if err != nil || got[0] != quota.Done {
			t.Errorf("Settle = %v, %v; want it given back", got, err)
		}
	}
	req := charge("killed")
	req.Lease = time.Second
	reserve(t, s, req)
	c.advance(2 * time.Second)
	if rec := read(t, s, alice); rec.Windows["day/requests"].Used != 1 {
		t.Errorf("used %d after a lease ran out; want 1", rec.Windows["day/requests"].Used)
	}
}
