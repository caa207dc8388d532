package quota

import (
	"context"
	"time"
)

// Usage is what a subject has used, as people are told it.
type Usage struct {
	// Now is the store's clock.
	Now time.Time
	// Windows stands in the order of the plan's limits.
	Windows []WindowUsage
	// InFlight is how many requests run, MaxInFlight how many may; [Unlimited]
	// for any number.
	InFlight, MaxInFlight int64
	// Ledger is what the last requests did, newest first.
	Ledger []Entry
}

// WindowUsage is one limit. Used, Reserved and Remaining add up to Limit,
// unless a lowered limit left more used than it admits.
type WindowUsage struct {
	Name   string // "day/requests"
	Unit   Unit
	Period Period
	// Limit is the plan's; [Unlimited] never refuses.
	Limit int64
	// Used is what is charged for good, Reserved what running requests hold.
	Used, Reserved int64
	// Remaining is what is left, never less than 0; [Unlimited] where Limit is.
	Remaining int64
	// Starts and Ends are the running window's; if none runs, those of the one
	// that the next request opens.
	Starts, Ends time.Time
}

// Usage reads what a subject has used under a plan. It charges nothing and
// changes nothing; a subject that the store does not know has used nothing.
// The error wraps [ErrUnavailable] or is that of ctx.
func (e *Engine) Usage(ctx context.Context, subject string, plan *Plan) (Usage, error) {
	limited, cancel := context.WithTimeout(ctx, e.opts.ReserveTimeout)
	defer cancel()
	rec, err := e.opts.Store.Read(limited, subject)
	if err != nil {
		return Usage{}, failure(ctx, "usage", err)
	}
	u := Usage{Now: time.UnixMilli(rec.Now).UTC(), InFlight: rec.InFlight, MaxInFlight: plan.inFlight}
	windows := plan.windowsAt(rec.Now)
	u.Windows = make([]WindowUsage, len(windows))
	for i := range windows {
		u.Windows[i] = windowUsage(&plan.limits[i], &windows[i], rec)
	}
	for _, line := range rec.Ledger {
		if entry, ok := ParseEntry(line); ok {
			u.Ledger = append(u.Ledger, entry)
		}
	}
	return u, nil
}

// windowUsage reads one limit from the record. A bucket that has ended counts
// for nothing: the next request opens a new one.
func windowUsage(l *Limit, w *Window, rec Record) WindowUsage {
	u := WindowUsage{Name: w.Name, Unit: l.Unit, Period: l.Period, Limit: l.Amount, Remaining: Unlimited}
	from, to := w.From, w.To
	stored := int64(0)
	if c, ok := rec.Windows[w.Name]; ok && c.End > rec.Now {
		// The store keeps the end that a running bucket was opened with, whatever
		// the plan says today.
		stored = c.Used
		if c.End != to {
			from, to = c.Start, c.End
		}
		// Requests that an earlier bucket admitted are running, but not in this one.
		u.Reserved = min(c.Reserved, stored)
	}
	u.Used = stored - u.Reserved
	if l.Amount != Unlimited {
		u.Remaining = max(0, l.Amount-stored)
	}
	u.Starts, u.Ends = time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC()
	return u
}
