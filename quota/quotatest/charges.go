package quotatest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openova-io/llm-gateway/quota"
)

func exactLimit(t *testing.T, a, b quota.Store) {
	const limit, callers, calls = 40, 16, 5 // 80 ask
	subject := newSubject()
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		s := []quota.Store{a, b}[i%2]
		wg.Go(func() {
			for range calls {
				d, err := s.Reserve(t.Context(), request(subject, daily(limit)))
				if err != nil {
					t.Errorf("Reserve: %v", err)
					return
				}
				if d.Status == quota.OK {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	equal(t, "admitted", admitted.Load(), limit)
	equal(t, "used", used(t, b, subject, "day/requests"), limit)
}

func returnFrees(t *testing.T, a, b quota.Store) {
	for _, mode := range []quota.Mode{quota.GiveBack, quota.Abandon} {
		subject := newSubject()
		first := request(subject, daily(1))
		want(t, a, first, quota.OK)
		want(t, b, request(subject, daily(1)), quota.Spent)
		equal(t, "Settle", settle(t, b, first, mode), quota.Done)
		want(t, a, request(subject, daily(1)), quota.OK)
	}
}

func keptStays(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	first := request(subject, daily(1))
	want(t, a, first, quota.OK)
	equal(t, "Settle", settle(t, b, first, quota.Charge), quota.Done)
	d := want(t, b, request(subject, daily(1)), quota.Spent)
	equal(t, "state", d.Windows[0], quota.WindowState{Used: 1, Limit: 1, End: never})
	equal(t, "in flight", d.InFlight, 0)
}

func settleOnce(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	first, second := request(subject, daily(5)), request(subject, daily(5))
	want(t, a, first, quota.OK)
	want(t, a, second, quota.OK)
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		s := []quota.Store{a, b}[i%2]
		wg.Go(func() {
			if settle(t, s, first, quota.GiveBack) == quota.Done {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t, "effective settlements", done.Load(), 1)
	equal(t, "used", used(t, a, subject, "day/requests"), 1)
	equal(t, "in flight", read(t, a, subject).InFlight, 1)
}

func replayChargesOnce(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	req := request(subject, daily(1))
	want(t, a, req, quota.OK)
	d := want(t, b, req, quota.Replay)
	equal(t, "state", d.Windows[0], quota.WindowState{Used: 1, Limit: 1, End: never})
	equal(t, "in flight", d.InFlight, 1)
	equal(t, "used", used(t, a, subject, "day/requests"), 1)
}

func releaseFirst(t *testing.T, a, b quota.Store) {
	for _, mode := range []quota.Mode{quota.Charge, quota.GiveBack, quota.Abandon} {
		subject := newSubject()
		req := request(subject, daily(5))
		equal(t, "Settle before Reserve", settle(t, a, req, mode), quota.Unknown)
		want(t, b, req, quota.Gone)
		equal(t, "used", used(t, a, subject, "day/requests"), 0)
		want(t, b, request(subject, daily(5)), quota.OK)
	}
}

func allOrNone(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	month := daily(100)
	month.Name = "month/requests"
	want(t, a, request(subject, month, daily(1)), quota.OK)
	d := want(t, b, request(subject, month, daily(1)), quota.Spent)
	equal(t, "month", d.Windows[0].Used, 1)
	equal(t, "day", d.Windows[1].Used, 1)
	equal(t, "month as stored", used(t, a, subject, "month/requests"), 1)
}

func unlimitedCounts(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	for i := range int64(3) {
		d := want(t, a, request(subject, daily(quota.Unlimited)), quota.OK)
		equal(t, "state", d.Windows[0], quota.WindowState{Used: i + 1, Limit: quota.Unlimited, End: never})
	}
	equal(t, "used", used(t, b, subject, "day/requests"), 3)
}

func limitChange(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	for range 3 {
		want(t, a, request(subject, daily(10)), quota.OK)
	}
	d := want(t, b, request(subject, daily(2)), quota.Spent) // a downgrade
	equal(t, "used", d.Windows[0].Used, 3)
	want(t, a, request(subject, daily(4)), quota.OK)
	want(t, b, request(subject, daily(4)), quota.Spent)
}

func malformed(t *testing.T, a, _ quota.Store) {
	good := daily(5)
	for name, change := range map[string]func(*quota.Request){
		"a name with a blank":     func(r *quota.Request) { r.Windows[0].Name = "day requests" },
		"no name":                 func(r *quota.Request) { r.Windows[0].Name = "" },
		"a negative amount":       func(r *quota.Request) { r.Windows[0].Amount = -1 },
		"an amount beyond 2^50":   func(r *quota.Request) { r.Windows[0].Amount = 1<<50 + 1 },
		"a floor over the amount": func(r *quota.Request) { r.Windows[0].Floor = 2 },
		"an empty bucket":         func(r *quota.Request) { r.Windows[0].To = r.Windows[0].From },
		"an unknown kind":         func(r *quota.Request) { r.Windows[0].Kind = 'z' },
		"a rate of no time":       func(r *quota.Request) { r.Windows[0].Kind = quota.Rate; r.Windows[0].From = 0 },
		"a rate beyond exact numbers": func(r *quota.Request) {
			r.Windows[0].Kind, r.Windows[0].From, r.Windows[0].To = quota.Rate, 1<<26, 1<<26
		},
		"a window twice":         func(r *quota.Request) { r.Windows = append(r.Windows, r.Windows[0]) },
		"no lease":               func(r *quota.Request) { r.Lease = 0 },
		"an id with a blank":     func(r *quota.Request) { r.ID = "a b" },
		"a subject with a brace": func(r *quota.Request) { r.Subject = "a}b" },
	} {
		req := request(newSubject(), good)
		change(req)
		if d, err := a.Reserve(t.Context(), req); err == nil {
			t.Errorf("%s: Reserve = %+v; want an error", name, d)
		}
	}
}

func batchOrder(t *testing.T, a, b quota.Store) {
	var batch []quota.Settlement
	var wanted []quota.Result
	for i := range 30 {
		req := request(newSubject(), daily(5))
		result := quota.Unknown
		if i%3 != 0 {
			want(t, a, req, quota.OK)
			result = quota.Done
		}
		batch = append(batch, quota.Settlement{ID: req.ID, Subject: req.Subject, Mode: quota.Charge})
		wanted = append(wanted, result)
	}
	got, err := b.Settle(t.Context(), batch)
	if err != nil || len(got) != len(wanted) {
		t.Fatalf("Settle = %v, %v", got, err)
	}
	for i := range got {
		equal(t, "result", got[i], wanted[i])
	}
	if got, err := b.Settle(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("Settle of nothing = %v, %v", got, err)
	}
}

func inFlightCap(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	ask := func() *quota.Request {
		r := request(subject, daily(100))
		r.InFlight = 2
		return r
	}
	first := ask()
	equal(t, "in flight", want(t, a, first, quota.OK).InFlight, 1)
	equal(t, "in flight", want(t, b, ask(), quota.OK).InFlight, 2)
	d := want(t, a, ask(), quota.InFlight)
	equal(t, "in flight", d.InFlight, 2)
	equal(t, "used", d.Windows[0].Used, 2)
	settle(t, b, first, quota.Charge)
	want(t, a, ask(), quota.OK)
	equal(t, "in flight", read(t, b, subject).InFlight, 2)
}
