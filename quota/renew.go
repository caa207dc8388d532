package quota

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	// renewTimeout bounds one call with a batch of leases.
	renewTimeout = time.Second
	// renewBatch is the most leases in one call.
	renewBatch = 1024
)

// renewAll is the goroutine that prolongs leases: every third of one, and four
// times as often while the store does not answer.
func (e *Engine) renewAll() {
	every := max(e.opts.Lease/3, time.Millisecond)
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-e.run.Done():
			return
		case <-timer.C:
		}
		next := every
		if err := e.renewOpen(e.run); err != nil {
			e.opts.Logger.Warn("leases not prolonged; trying again", zap.Int64("open", e.Open()), zap.Error(err))
			next = max(every/4, time.Millisecond)
		}
		timer.Reset(next)
	}
}

// renewOpen prolongs the leases of all that runs for a third of a lease or
// more. Most requests end before that and cost the store nothing here; those
// that do not are seen in time, at two thirds at the latest.
func (e *Engine) renewOpen(ctx context.Context) error {
	justAfter := e.opts.Now().Add(-e.opts.Lease/3 + 1)
	open := e.open.startedBefore(nil, justAfter)
	for len(open) > 0 {
		n := min(len(open), renewBatch)
		if err := e.renewSome(ctx, open[:n]); err != nil {
			return err
		}
		open = open[n:]
	}
	return nil
}

func (e *Engine) renewSome(ctx context.Context, open []*Reservation) error {
	batch := make([]Lease, len(open))
	for i, r := range open {
		batch[i] = Lease{ID: r.req.ID, Subject: r.req.Subject, Lease: e.opts.Lease}
	}
	limited, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	alive, err := e.opts.Store.Renew(limited, batch)
	if err != nil {
		return err
	}
	for i := range min(len(alive), len(open)) {
		if !alive[i] {
			// It stays out: its place may be someone else's. Its settlement is
			// late and still right.
			open[i].lapsed.Store(true)
		}
	}
	return nil
}
