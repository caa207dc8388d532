package quotatest

import (
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/quota"
)

// short is a lease that ends within a test.
const short = 30 * time.Millisecond

// leased asks for a charge that ends soon.
func leased(subject string, windows ...quota.Window) *quota.Request {
	r := request(subject, windows...)
	r.Lease = short
	return r
}

// sweep waits until the store has found that all leases of the subject ended.
func sweep(t *testing.T, s quota.Store, subject string) {
	t.Helper()
	free := quota.Window{Name: "sweep", Kind: quota.Calendar, Limit: quota.Unlimited, From: 1, To: never}
	eventually(t, "leases end", func() bool {
		probe := request(subject, free)
		n := want(t, s, probe, quota.OK).InFlight
		settle(t, s, probe, quota.Charge)
		return n == 1
	})
}

func leaseEnds(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	r := leased(subject, daily(1))
	r.InFlight = 1
	want(t, a, r, quota.OK)
	eventually(t, "the charge comes back by itself", func() bool {
		rec := read(t, b, subject)
		return rec.InFlight == 0 && rec.Windows["day/requests"].Used == 0
	})
	again := request(subject, daily(1))
	again.InFlight = 1
	d := want(t, b, again, quota.OK)
	equal(t, "used", d.Windows[0].Used, 1)
	equal(t, "in flight", d.InFlight, 1)
	want(t, a, r, quota.Gone) // the ended id is no way to a second charge
}

func leaseFloor(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	tokens := quota.Window{Name: "day/tokens", Kind: quota.Calendar, Limit: 1000, Amount: 300, Floor: 100, From: 1, To: never}
	want(t, a, leased(subject, tokens), quota.OK)
	eventually(t, "the floor is left", func() bool { return used(t, b, subject, "day/tokens") == 100 })
	sweep(t, a, subject)
	equal(t, "used after the sweep", used(t, b, subject, "day/tokens"), 100)
}

func lateSettle(t *testing.T, a, b quota.Store) {
	for _, tc := range []struct {
		mode quota.Mode
		used int64
	}{{quota.Charge, 1}, {quota.GiveBack, 0}, {quota.Abandon, 0}, {quota.Void, 0}} {
		subject := newSubject()
		r := leased(subject, daily(5))
		want(t, a, r, quota.OK)
		sweep(t, b, subject)
		equal(t, "used when the lease has ended", used(t, a, subject, "day/requests"), 0)
		equal(t, "Settle", settle(t, b, r, tc.mode), quota.Late)
		equal(t, "used", used(t, a, subject, "day/requests"), tc.used)
		equal(t, "Settle again", settle(t, a, r, tc.mode), quota.Unknown)
		equal(t, "in flight", read(t, a, subject).InFlight, 0)
	}
}

func renewLives(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	r, other, never := leased(subject, daily(5)), leased(subject, daily(5)), request(subject, daily(5))
	want(t, a, r, quota.OK)
	want(t, a, other, quota.OK)
	batch := []quota.Lease{
		{ID: never.ID, Subject: subject, Lease: time.Minute},
		{ID: r.ID, Subject: subject, Lease: time.Minute},
		{ID: never.ID, Subject: newSubject(), Lease: time.Minute},
	}
	live, err := b.Renew(t.Context(), batch)
	if err != nil || len(live) != 3 || live[0] || !live[1] || live[2] {
		t.Fatalf("Renew = %v, %v; want false, true, false", live, err)
	}
	eventually(t, "the other lease ends", func() bool { return read(t, a, subject).InFlight == 1 })
	sweepTo := want(t, b, request(subject, daily(5)), quota.OK)
	equal(t, "in flight after the sweep", sweepTo.InFlight, 2)
	live, err = b.Renew(t.Context(), []quota.Lease{{ID: other.ID, Subject: subject, Lease: time.Minute}, {ID: r.ID, Subject: subject, Lease: time.Minute}})
	if err != nil || live[0] || !live[1] {
		t.Errorf("Renew = %v, %v; want an ended lease to stay ended", live, err)
	}
	equal(t, "Settle", settle(t, a, r, quota.Charge), quota.Done)
}
