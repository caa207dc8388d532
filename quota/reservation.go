package quota

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Reservation is one charge in flight. It must be ended, once, with Keep or
// GiveBack; whichever comes second does nothing. Until then its lease is
// prolonged. It is safe for concurrent use.
type Reservation struct {
	engine   *Engine
	plan     *Plan
	req      Request
	decision Decision

	since  time.Time // when the store was asked: the lease is not older
	ended  atomic.Bool
	lapsed atomic.Bool // the lease ran out all the same

	// Place in the openSet, under the lock of its shard.
	newer, older *Reservation
	shard        uint32
}

// Use is what stood in one window when the reservation was made, its own unit
// included.
type Use struct {
	Name   string // "day/requests"
	Unit   Unit
	Period Period
	// Limit is as in force for this subject, overrides included; [Unlimited]
	// never refuses.
	Limit int64
	Used  int64
	// Ends is when the window resets, on the store's clock.
	Ends time.Time
}

// Uses returns the windows in the order of the plan's limits.
func (r *Reservation) Uses() []Use {
	uses := make([]Use, min(len(r.plan.limits), len(r.decision.Windows)))
	for i := range uses {
		l, w := &r.plan.limits[i], &r.decision.Windows[i]
		uses[i] = Use{
			Name: r.req.Windows[i].Name, Unit: l.Unit, Period: l.Period,
			Limit: w.Limit, Used: w.Used, Ends: time.UnixMilli(w.End).UTC(),
		}
	}
	return uses
}

// Keep settles the charge: an answer was given. It returns before the store
// knows, but for an engine with [Options.Inline]. Only while [Options.Backlog] settlements are under way it waits for
// room, at most the engine's RefundTimeout; beyond four times as many the
// settlement is given up, counted in [Engine.Lost], and its lease ends it.
func (r *Reservation) Keep(line Entry) {
	if !r.end() {
		return
	}
	e := r.engine
	x := ending{reservation: r, mode: Charge, entry: line, since: e.opts.Now()}
	if !e.opts.Inline && e.backlog.offer(x, e.opts.Backlog) == nil {
		return // as ever; a context is made only for those who wait
	}
	limited, cancel := context.WithTimeout(context.Background(), e.opts.RefundTimeout)
	defer cancel()
	if e.opts.Inline && e.settleOnce(limited, []ending{x}) == nil {
		return
	}
	e.settleSoon(limited, x)
}

// GiveBack returns the charge, mode [GiveBack] for a fault of upstream or ours,
// [Abandon] for a client that left early, [Void] where nothing was sent. It
// waits for the store's word, at most the engine's RefundTimeout and not beyond
// ctx, so that a client that tries again does not meet its own charge. [Kept]
// means that the refund cap was reached. With an error the result is not known
// yet, and the refund goes on by itself. Mode [Charge] keeps the charge, but
// waits.
func (r *Reservation) GiveBack(ctx context.Context, mode Mode, line Entry) (Result, error) {
	if !r.end() {
		return Unknown, nil
	}
	e, ack := r.engine, make(chan Result, 1)
	limited, cancel := context.WithTimeout(ctx, e.opts.RefundTimeout)
	defer cancel()
	e.settleSoon(limited, ending{reservation: r, mode: mode, entry: line, since: e.opts.Now(), ack: ack})
	select {
	case result := <-ack:
		return result, nil
	case <-limited.Done():
	}
	if err := ctx.Err(); err != nil {
		return Unknown, fmt.Errorf("quota: give back: %w", err)
	}
	return Unknown, fmt.Errorf("quota: give back: %w: no word within %v", ErrUnavailable, e.opts.RefundTimeout)
}

// end reports whether this call is the first to end the reservation.
func (r *Reservation) end() bool {
	if r.ended.Swap(true) {
		return false
	}
	r.engine.open.remove(r)
	return true
}

// settlement is what the store is told. amount and unit of the ledger's line
// are those of the plan's first limit.
func (r *Reservation) settlement(x *ending, scratch []byte) Settlement {
	s := Settlement{ID: r.req.ID, Subject: r.req.Subject, Mode: x.mode, RefundCap: r.refundCap(x.mode)}
	if !x.silent {
		s.Line = string(appendLine(scratch, &x.entry, r.req.Windows[0].Amount, r.plan.limits[0].Unit))
	}
	return s
}

// refundCap is how many refunds of a mode the first window that is not a rate
// allows in one bucket. Faults of ours are given back as often as the limit
// lets them happen; a client that leaves early has used the backend.
func (r *Reservation) refundCap(mode Mode) int64 {
	for i := range r.req.Windows {
		if r.req.Windows[i].Kind == Rate {
			continue
		}
		limit := r.req.Windows[i].Limit
		if i < len(r.decision.Windows) {
			limit = r.decision.Windows[i].Limit
		}
		return capFor(mode, limit)
	}
	return maxAmount // rates are never given back
}

// capFor is the refund cap of a window with a limit.
func capFor(mode Mode, limit int64) int64 {
	switch {
	case mode == Charge:
		return 0
	case mode == Void, limit == Unlimited:
		return maxAmount
	case mode == Abandon:
		return max(3, limit/10)
	}
	return max(20, limit)
}
