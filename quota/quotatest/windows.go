package quotatest

import (
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/quota"
)

// lasting is a first-use window.
func lasting(d time.Duration, limit int64) quota.Window {
	return quota.Window{Name: "5h/requests", Kind: quota.FirstUse, Limit: limit, Amount: 1, From: d.Milliseconds()}
}

func firstUse(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	const length = 60 * time.Millisecond
	d := want(t, a, request(subject, lasting(length, 1)), quota.OK)
	equal(t, "end", d.Windows[0].End, d.Now+length.Milliseconds())
	spent := reserve(t, b, request(subject, lasting(length, 1)))
	if spent.Now < d.Windows[0].End { // else this machine was too slow to see it
		equal(t, "status", spent.Status, quota.Spent)
		equal(t, "end", spent.Windows[0].End, d.Windows[0].End)
	}
	eventually(t, "the bucket ends", func() bool { return read(t, a, subject).Now >= d.Windows[0].End })
	next := want(t, b, request(subject, lasting(length, 1)), quota.OK)
	if next.Now >= d.Windows[0].End+length.Milliseconds() {
		return
	}
	equal(t, "used in the next bucket", next.Windows[0].Used, 1)
}

func endIsPromise(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	w := daily(1)
	want(t, a, request(subject, w), quota.OK)
	w.To += 1_000_000
	d := want(t, b, request(subject, w), quota.Spent)
	equal(t, "end", d.Windows[0].End, never)
	w.From, w.To = never, never+1 // another zone: its bucket is not today's
	d = want(t, b, request(subject, w), quota.Spent)
	equal(t, "end", d.Windows[0].End, never)
}

func earlierEnd(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	w := daily(5)
	want(t, a, request(subject, w), quota.OK)
	w.To -= 1_000_000
	d := want(t, b, request(subject, w), quota.OK)
	equal(t, "end", d.Windows[0].End, w.To)
	d = want(t, a, request(subject, daily(5)), quota.OK)
	equal(t, "end for one who still asks for the later", d.Windows[0].End, w.To)
	equal(t, "used", d.Windows[0].Used, 3)
}

func refundIntoEndedBucket(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	const length = 20 * time.Millisecond
	old := request(subject, lasting(length, 5))
	d := want(t, a, old, quota.OK)
	eventually(t, "the bucket ends", func() bool { return read(t, a, subject).Now >= d.Windows[0].End })
	want(t, b, request(subject, lasting(time.Hour, 5)), quota.OK)
	lateRefund := quota.Settlement{ID: old.ID, Subject: subject, Mode: quota.GiveBack, RefundCap: 1}
	equal(t, "refund into the ended bucket", settleWith(t, a, lateRefund), quota.Done)
	equal(t, "used in the new bucket", used(t, b, subject, "5h/requests"), 1)

	failed := request(subject, lasting(time.Hour, 5))
	want(t, b, failed, quota.OK)
	lateRefund.ID = failed.ID
	equal(t, "the new bucket's first refund", settleWith(t, a, lateRefund), quota.Done)
	equal(t, "used after it", used(t, b, subject, "5h/requests"), 1)
}

func staleBounds(t *testing.T, a, _ quota.Store) {
	now := time.Now().UnixMilli()
	hour := time.Hour.Milliseconds()
	for name, bounds := range map[string][2]int64{
		"past":   {now - 2*hour, now - hour},
		"future": {now + hour, now + 2*hour},
	} {
		subject := newSubject()
		w := daily(5)
		w.From, w.To = bounds[0], bounds[1]
		d := want(t, a, request(subject, daily(5), w2(w)), quota.Clock)
		if off := d.Now - time.Now().UnixMilli(); off < -hour/2 || off > hour/2 {
			t.Errorf("%s: the store's clock reads %d", name, d.Now)
		}
		equal(t, name+": windows", len(d.Windows), 0)
		equal(t, name+": taken", len(read(t, a, subject).Windows), 0)
	}
}

// w2 is the same window under another name.
func w2(w quota.Window) quota.Window {
	w.Name = "week/requests"
	return w
}

func rate(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	const perUnit, burst = 400, 3
	w := quota.Window{Name: "minute/requests", Kind: quota.Rate, Limit: burst, Amount: 1, From: perUnit, To: burst}
	start := reserve(t, a, request(subject, w))
	for i := range int64(burst - 1) {
		d := want(t, b, request(subject, w), quota.OK)
		if d.Now-start.Now < perUnit {
			equal(t, "used", d.Windows[0].Used, i+2)
		}
	}
	d := reserve(t, a, request(subject, w))
	if d.Now-start.Now >= perUnit {
		return // this machine was too slow: a unit has come back
	}
	equal(t, "status", d.Status, quota.Spent)
	equal(t, "earliest retry", d.Windows[0].End, start.Now+perUnit)
	eventually(t, "the retry is admitted", func() bool {
		r := reserve(t, b, request(subject, w))
		if r.Status == quota.OK && r.Now < d.Windows[0].End {
			t.Errorf("admitted at %d, before the earliest retry %d", r.Now, d.Windows[0].End)
		}
		return r.Status == quota.OK
	})
	rec := read(t, a, subject).Windows["minute/requests"]
	equal(t, "a rate has no bucket: used", rec.Used, 0)
	equal(t, "a rate has no bucket: start", rec.Start, 0)
}
