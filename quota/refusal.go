package quota

import (
	"fmt"
	"time"
)

// Refusal is why a subject may not make a request now. Nothing was charged.
type Refusal struct {
	// Status is Spent, InFlight, Revoked or Paused.
	Status Status
	// Tier is the plan that refused.
	Tier string

	// Window is the limit that is used up ("day/requests"), Unit and Period its
	// parts, Limit and Used its numbers. Spent only.
	Window string
	Unit   Unit
	Period Period
	Limit  int64
	Used   int64

	// InFlight is how many requests of the subject are running. InFlight only;
	// 0 if the store was not asked.
	InFlight int64
	// MaxInFlight is how many may run at once; [Unlimited] for any number.
	MaxInFlight int64

	// Resets is when the window ends, on the store's clock. Spent only.
	Resets time.Time
	// RetryAfter is how long it makes no sense to come back. 0 where waiting
	// does not help: Revoked and Paused.
	RetryAfter time.Duration
}

// busyRetry is when those come back that have too many requests in flight.
const busyRetry = 2 * time.Second

// Error says what was refused, for the log; callers word it for people.
//
//nolint:errname // a refusal is an answer; the word is the domain's
func (r *Refusal) Error() string {
	switch r.Status {
	case Spent:
		return fmt.Sprintf("quota: tier %s: %d of %d %s used, resets %s", r.Tier, r.Used, r.Limit, r.Window, r.Resets.UTC().Format(time.RFC3339))
	case InFlight:
		return fmt.Sprintf("quota: tier %s: %d requests in flight of at most %d", r.Tier, r.InFlight, r.MaxInFlight)
	case Revoked:
		return "quota: credential revoked"
	case Paused:
		return "quota: subject paused"
	case OK, Replay, Clock, Gone:
	}
	return fmt.Sprintf("quota: refused with status %d", r.Status)
}

// refusal turns the store's answer to a request into its meaning.
func (r *Reservation) refusal(d *Decision) *Refusal {
	ref := &Refusal{Status: d.Status, Tier: r.plan.tier, MaxInFlight: r.plan.inFlight}
	switch d.Status {
	case InFlight:
		ref.InFlight, ref.RetryAfter = d.InFlight, busyRetry
	case Spent:
		r.describeSpent(ref, d)
	case OK, Replay, Revoked, Paused, Clock, Gone:
	}
	return ref
}

// describeSpent names the window that refused; of several, the one that ends
// last, since before that nothing is admitted.
func (r *Reservation) describeSpent(ref *Refusal, d *Decision) {
	spent := -1
	for i := range min(len(d.Windows), len(r.req.Windows)) {
		w := &d.Windows[i]
		if w.Limit == Unlimited || w.Used+r.req.Windows[i].Amount <= w.Limit {
			continue
		}
		if spent < 0 || w.End > d.Windows[spent].End {
			spent = i
		}
	}
	if spent < 0 {
		return // a store that refuses without a reason; the caller says as much
	}
	limit, w := &r.plan.limits[spent], &d.Windows[spent]
	ref.Window, ref.Unit, ref.Period = limit.Name(), limit.Unit, limit.Period
	ref.Limit, ref.Used = w.Limit, w.Used
	ref.Resets = time.UnixMilli(w.End).UTC()
	ref.RetryAfter = max(0, time.Duration(w.End-d.Now)*time.Millisecond)
}
