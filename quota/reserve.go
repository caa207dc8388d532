package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// Claim asks for one request of a subject.
type Claim struct {
	// Subject is who asks: 32 hex digits.
	Subject string
	// Session and IssuedAt are of the credential; zero values if unknown.
	Session  string
	IssuedAt time.Time
	// Plan is what the subject may use.
	Plan *Plan
}

// pollInFlight is how often a request that waits for its subject's other
// requests asks again: they may end in another process.
const pollInFlight = 100 * time.Millisecond

// mostAsks bounds how often one reservation is asked for with new bounds. The
// second ask has the store's own time; a third is for a window that ended
// between the two.
const mostAsks = 3

// Reserve takes one unit in every window of the plan, or none. If too many
// requests of the subject are in flight, it waits for one of them to end.
//
// The caller must end what it is given with Keep or GiveBack. The error is a
// [*Refusal], the error of ctx, or one that wraps [ErrUnavailable]; nothing is
// charged then, or is given back without the caller's doing.
func (e *Engine) Reserve(ctx context.Context, claim Claim) (*Reservation, error) {
	if claim.Plan == nil {
		return nil, errors.New("quota: a claim needs a plan")
	}
	if e.stopping.Load() {
		return nil, fmt.Errorf("%w: the engine has stopped", ErrUnavailable)
	}
	r := e.newReservation(claim)
	generation := e.recent.generation()

	waits := claim.Plan.inFlight > 0 && e.opts.InFlightWait > 0
	if waits && e.turns.Busy(claim.Subject) {
		return e.reserveInTurn(ctx, r, generation) // nobody overtakes those who wait
	}
	d, err := e.ask(ctx, r)
	if waits && err == nil && d.Status == InFlight {
		return e.reserveInTurn(ctx, r, generation)
	}
	return e.conclude(ctx, r, &d, err, generation)
}

func (e *Engine) newReservation(claim Claim) *Reservation {
	r := &Reservation{engine: e, plan: claim.Plan}
	r.req = Request{
		ID: e.ids.next(), Subject: claim.Subject, Session: claim.Session,
		InFlight: claim.Plan.inFlight, Lease: e.opts.Lease,
	}
	if !claim.IssuedAt.IsZero() {
		r.req.IssuedAt = claim.IssuedAt.Unix()
	}
	return r
}

// reserveInTurn waits in the line of the subject and asks whenever a request of
// it may have ended.
func (e *Engine) reserveInTurn(ctx context.Context, r *Reservation, generation uint64) (*Reservation, error) {
	d := Decision{Status: InFlight}
	turn, err := e.turns.Join(r.req.Subject)
	if err != nil {
		return nil, r.refusal(&d)
	}
	defer turn.Leave()
	limited, cancel := context.WithTimeout(ctx, e.opts.InFlightWait)
	defer cancel()
	for {
		if turn.Next(limited, pollInFlight) != nil {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("quota: while waiting for a request in flight: %w", err)
			}
			return nil, r.refusal(&d)
		}
		if d, err = e.ask(ctx, r); err != nil || d.Status != InFlight {
			return e.conclude(ctx, r, &d, err, generation)
		}
	}
}

// ask puts one reservation to the store, again if the bounds of its windows are
// not current there.
func (e *Engine) ask(ctx context.Context, r *Reservation) (Decision, error) {
	r.since = e.opts.Now()
	ms := r.since.UnixMilli() + e.offset.Load()
	for asked := 1; ; asked++ {
		r.req.Windows = r.plan.windowsAt(ms)
		limited, cancel := context.WithTimeout(ctx, e.opts.ReserveTimeout)
		d, err := e.opts.Store.Reserve(limited, &r.req)
		cancel()
		if err != nil || d.Status != Clock || asked == mostAsks {
			return d, err
		}
		ms = d.Now
		r.since = e.opts.Now()
		e.offset.Store(d.Now - r.since.UnixMilli())
	}
}

// conclude turns the store's answer into a reservation or an error.
func (e *Engine) conclude(ctx context.Context, r *Reservation, d *Decision, err error, generation uint64) (*Reservation, error) {
	if err != nil {
		return nil, e.unanswered(ctx, r, err)
	}
	switch d.Status {
	case OK, Replay:
		r.decision = *d
		e.open.add(r)
		return r, nil
	case Spent:
		refusal := r.refusal(d)
		e.recent.remember(r.req.Subject, refusal, e.opts.Now(), generation)
		return nil, refusal
	case InFlight, Revoked, Paused:
		return nil, r.refusal(d)
	case Clock:
		return nil, fmt.Errorf("%w: its clock and the calendar do not meet", ErrUnavailable)
	case Gone:
	}
	return nil, fmt.Errorf("%w: it answered a new reservation with status %d", ErrUnavailable, d.Status)
}

// unanswered ends a reservation whose fate nobody knows: it is given back, also
// if it arrives at the store only later.
func (e *Engine) unanswered(ctx context.Context, r *Reservation, err error) error {
	inDoubt := ctx.Err() != nil || errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
	if inDoubt && !errors.Is(err, ErrNotAsked) {
		x := ending{reservation: r, mode: Void, silent: true, since: e.opts.Now()}
		if e.backlog.offer(x, e.opts.Backlog/2) != nil {
			// Nobody renews it, so its lease ends it. Waiting here would hold up
			// every caller of a store that is down, and half of the room is for
			// those whose charge is known.
			e.opts.Logger.Debug("no room to give back a reservation in doubt", zap.String("reservation", r.req.ID))
		}
	}
	return failure(ctx, "reserve", err)
}

// failure words an error of the store: the caller's own end as what it is, and
// everything else as a store that cannot be asked.
func failure(ctx context.Context, call string, err error) error {
	switch left := ctx.Err(); {
	case left != nil:
		return fmt.Errorf("quota: %s: %w", call, left)
	case errors.Is(err, ErrUnavailable):
		return fmt.Errorf("quota: %s: %w", call, err)
	}
	return fmt.Errorf("quota: %s: %w: %w", call, ErrUnavailable, err)
}
