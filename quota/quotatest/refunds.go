package quotatest

import (
	"testing"

	"github.com/openova-io/llm-gateway/quota"
)

func refundCap(t *testing.T, a, b quota.Store) {
	for _, mode := range []quota.Mode{quota.GiveBack, quota.Abandon} {
		subject := newSubject()
		for i, wanted := range []quota.Result{quota.Done, quota.Done, quota.Kept, quota.Kept} {
			r := request(subject, daily(10))
			want(t, a, r, quota.OK)
			got := settleWith(t, b, quota.Settlement{ID: r.ID, Subject: subject, Mode: mode, RefundCap: 2})
			equal(t, "refund", got, wanted)
			equal(t, "used", used(t, a, subject, "day/requests"), max(0, int64(i)-1))
		}
	}
}

func refundCapsApart(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	for _, step := range []struct {
		mode   quota.Mode
		cap    int64
		wanted quota.Result
	}{
		{quota.Abandon, 1, quota.Done},
		{quota.Abandon, 1, quota.Kept},
		{quota.GiveBack, 2, quota.Done},
		{quota.GiveBack, 2, quota.Done},
		{quota.GiveBack, 2, quota.Kept},
		{quota.Abandon, 2, quota.Done},
		{quota.Abandon, 0, quota.Kept},
	} {
		r := request(subject, daily(10))
		want(t, a, r, quota.OK)
		got := settleWith(t, b, quota.Settlement{ID: r.ID, Subject: subject, Mode: step.mode, RefundCap: step.cap})
		equal(t, "refund", got, step.wanted)
	}
	equal(t, "used", used(t, a, subject, "day/requests"), 3)
}

func voidIsNoRefund(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	end := func(mode quota.Mode, most int64, wanted quota.Result) {
		r := request(subject, perMinute(), daily(10))
		want(t, a, r, quota.OK)
		got := settleWith(t, b, quota.Settlement{ID: r.ID, Subject: subject, Mode: mode, RefundCap: most, Line: "line"})
		equal(t, "settlement "+string(mode), got, wanted)
	}
	for range 30 {
		end(quota.Void, 0, quota.Done)
	}
	equal(t, "used", used(t, a, subject, "day/requests"), 0)
	end(quota.GiveBack, 1, quota.Done) // the first refund of the day
	end(quota.GiveBack, 1, quota.Kept)
	end(quota.Abandon, 1, quota.Done)
	end(quota.Void, 0, quota.Done)
	equal(t, "used", used(t, a, subject, "day/requests"), 1)
	equal(t, "in flight", read(t, a, subject).InFlight, 0)

	early := request(subject, daily(10)) // its release overtakes it
	equal(t, "release before it arrives", settle(t, b, early, quota.Void), quota.Unknown)
	want(t, a, early, quota.Gone)
}

// perMinute is a rate that no check exhausts.
func perMinute() quota.Window {
	return quota.Window{Name: "minute/requests", Kind: quota.Rate, Limit: 100, Amount: 1, From: 10, To: 100}
}

func refundCapBehindRate(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	for _, wanted := range []quota.Result{quota.Done, quota.Kept, quota.Kept} {
		r := request(subject, perMinute(), daily(10))
		want(t, a, r, quota.OK)
		got := settleWith(t, b, quota.Settlement{ID: r.ID, Subject: subject, Mode: quota.GiveBack, RefundCap: 1})
		equal(t, "refund", got, wanted)
	}
	equal(t, "used", used(t, a, subject, "day/requests"), 2)
}

func actualAmounts(t *testing.T, a, b quota.Store) {
	tokens := quota.Window{Name: "day/tokens", Kind: quota.Calendar, Limit: 10_000, Amount: 300, From: 1, To: never}
	for _, tc := range []struct {
		name    string
		mode    quota.Mode
		refunds int64
		actual  map[string]int64
		tokens  int64
		request int64
	}{
		{"more than reserved", quota.Charge, 9, map[string]int64{"day/tokens": 900}, 900, 1},
		{"less than reserved", quota.Charge, 9, map[string]int64{"day/tokens": 20}, 20, 1},
		{"not named", quota.Charge, 9, nil, 300, 1},
		{"failed, nothing counted", quota.GiveBack, 9, nil, 0, 0},
		{"failed, some counted", quota.GiveBack, 9, map[string]int64{"day/tokens": 70}, 70, 0},
		{"failed beyond the cap", quota.GiveBack, 0, map[string]int64{"day/tokens": 70}, 300, 1},
		{"abandoned beyond the cap, more counted", quota.Abandon, 0, map[string]int64{"day/tokens": 700}, 700, 1},
	} {
		subject := newSubject()
		r := request(subject, daily(10), tokens)
		want(t, a, r, quota.OK)
		settleWith(t, b, quota.Settlement{ID: r.ID, Subject: subject, Mode: tc.mode, RefundCap: tc.refunds, Actual: tc.actual})
		equal(t, tc.name+": tokens", used(t, a, subject, "day/tokens"), tc.tokens)
		equal(t, tc.name+": requests", used(t, a, subject, "day/requests"), tc.request)
	}
}
