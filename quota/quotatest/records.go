package quotatest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/quota"
)

func readUnknown(t *testing.T, a, _ quota.Store) {
	rec := read(t, a, newSubject())
	if rec.Now == 0 || rec.InFlight != 0 || len(rec.Windows) != 0 || len(rec.Ledger) != 0 {
		t.Errorf("Read = %+v; want an empty record with the clock", rec)
	}
}

func readSums(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	tokens := quota.Window{Name: "day/tokens", Kind: quota.Calendar, Limit: 1000, Amount: 300, Floor: 100, From: 1, To: never}
	kept := request(subject, daily(10), tokens)
	want(t, a, kept, quota.OK)
	settle(t, a, kept, quota.Charge)
	want(t, a, request(subject, daily(10), tokens), quota.OK)
	d := want(t, b, request(subject, daily(10)), quota.OK)
	rec := read(t, b, subject)
	equal(t, "in flight", rec.InFlight, 2)
	day, tok := rec.Windows["day/requests"], rec.Windows["day/tokens"]
	equal(t, "requests used", day.Used, d.Windows[0].Used)
	equal(t, "requests used", day.Used, 3)
	equal(t, "requests reserved", day.Reserved, 2)
	equal(t, "end", day.End, never)
	equal(t, "tokens used", tok.Used, 600)
	equal(t, "tokens reserved", tok.Reserved, 300)
	if day.Start <= 0 || day.Start > rec.Now {
		t.Errorf("start %d; want a time before %d", day.Start, rec.Now)
	}
}

func ledger(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	for i, mode := range []quota.Mode{quota.Charge, quota.GiveBack, quota.Abandon} {
		r := request(subject, daily(10))
		want(t, a, r, quota.OK)
		settleWith(t, b, quota.Settlement{ID: r.ID, Subject: subject, Mode: mode, RefundCap: int64(1 - i/2), Line: "line " + strconv.Itoa(i)})
	}
	silent := request(subject, daily(10))
	want(t, a, silent, quota.OK)
	settle(t, a, silent, quota.Charge)
	settleWith(t, a, quota.Settlement{ID: newID(), Subject: subject, Mode: quota.Charge, Line: "never reserved"})
	got := read(t, b, subject).Ledger
	wanted := []string{"KEPT c line 2", "DONE f line 1", "DONE s line 0"}
	if len(got) != len(wanted) {
		t.Fatalf("ledger %q; want %q", got, wanted)
	}
	for i := range got {
		ms, line, _ := strings.Cut(got[i], " ")
		equal(t, "line", line, wanted[i])
		if at, err := strconv.ParseInt(ms, 10, 64); err != nil || at <= 0 {
			t.Errorf("line %q does not begin with a time", got[i])
		}
	}
}

// control sets a field or skips the check.
func control(t *testing.T, s quota.Store, subject, field, value string) {
	t.Helper()
	c, ok := s.(Controller)
	if !ok {
		t.Skip("this store has no control fields")
	}
	if err := c.Control(t.Context(), subject, field, value); err != nil {
		t.Fatal(err)
	}
}

func millis(d time.Duration) string {
	return strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10)
}

func revoked(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	ask := func(session string, issued int64) *quota.Request {
		r := request(subject, daily(5))
		r.Session, r.IssuedAt = session, issued
		return r
	}
	want(t, a, ask("s1", 1000), quota.OK)
	control(t, a, subject, "rv", "2000")
	d := want(t, b, ask("s1", 1999), quota.Revoked)
	equal(t, "windows", len(d.Windows), 0)
	want(t, b, ask("s1", 0), quota.Revoked) // unknown age is no excuse
	want(t, b, ask("s1", 2000), quota.OK)
	control(t, a, subject, "v:s1", millis(time.Hour))
	want(t, b, ask("s1", 2000), quota.Revoked)
	want(t, b, ask("s2", 2000), quota.OK)
	control(t, a, subject, "v:s1", millis(-time.Hour))
	want(t, b, ask("s1", 2000), quota.OK)
	equal(t, "used", used(t, a, subject, "day/requests"), 4)
}

func paused(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	control(t, a, subject, "pu", millis(time.Hour))
	want(t, b, request(subject, daily(5)), quota.Paused)
	control(t, a, subject, "pu", millis(-time.Hour))
	want(t, b, request(subject, daily(5)), quota.OK)
}

func override(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	control(t, a, subject, "o", "other 9 0 day/requests 2 "+millis(time.Hour))
	equal(t, "limit", want(t, b, request(subject, daily(1)), quota.OK).Windows[0].Limit, 2)
	want(t, b, request(subject, daily(1)), quota.OK)
	want(t, b, request(subject, daily(1)), quota.Spent)
	control(t, a, subject, "o", "day/requests -1 0")
	want(t, b, request(subject, daily(1)), quota.OK)
	control(t, a, subject, "o", "day/requests 100 "+millis(-time.Hour))
	d := want(t, b, request(subject, daily(1)), quota.Spent)
	equal(t, "limit when the override has ended", d.Windows[0].Limit, 1)
}
