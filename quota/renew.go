package quota

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"
)

// renewBatch is the most leases in one call.
const renewBatch = 1024

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
// that do not are seen in time, at two thirds at the latest. A call that fails
// holds up none after it: it may be one damaged record.
func (e *Engine) renewOpen(ctx context.Context) error {
	justAfter := e.opts.Now().Add(-e.opts.Lease/3 + 1)
	var failed error
	for some := range slices.Chunk(e.open.startedBefore(nil, justAfter), renewBatch) {
		if err := e.renewSome(ctx, some); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

func (e *Engine) renewSome(ctx context.Context, open []*Reservation) error {
	batch := make([]Lease, len(open))
	for i, r := range open {
		batch[i] = Lease{ID: r.req.ID, Subject: r.req.Subject, Lease: e.opts.Lease}
	}
	limited, cancel := context.WithTimeout(ctx, e.opts.SettleTimeout)
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
