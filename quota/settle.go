package quota

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// A store that does not answer is asked again after firstBackoff, then
	// after twice as long, up to lastBackoff.
	firstBackoff = 10 * time.Millisecond
	lastBackoff  = time.Second
)

// settleSoon puts an ending on its way. While the backlog is full it waits, not
// beyond ctx. After Stop the ending goes to the store by itself.
func (e *Engine) settleSoon(ctx context.Context, x ending) {
	switch err := e.backlog.put(ctx, x); {
	case err == nil:
	case errors.Is(err, errBacklogFull):
		e.lost(1, err)
	case x.ack != nil: // whoever waits for it does not wait here
		go e.settleAlone(x)
	default:
		e.settleAlone(x)
	}
}

// settleAlone sends one ending in a call of its own.
func (e *Engine) settleAlone(x ending) {
	ctx, cancel := context.WithTimeout(context.Background(), e.opts.RefundTimeout)
	defer cancel()
	if err := e.settleOnce(ctx, []ending{x}); err != nil {
		e.lost(1, err)
	}
}

// settleAll is the goroutine that tells the store how reservations ended.
func (e *Engine) settleAll() {
	buffer := make([]ending, 0, e.opts.Batch)
	for {
		batch := e.backlog.take(buffer[:0], e.opts.Batch)
		if len(batch) == 0 {
			e.abort() // the renewals have nothing to do either
			return
		}
		e.settleBatch(e.run, batch)
		clear(batch)
	}
}

// settleBatch tries until the store has taken the batch, or has forgotten what
// is in it.
func (e *Engine) settleBatch(ctx context.Context, batch []ending) {
	for wait := firstBackoff; ; wait = min(2*wait, lastBackoff) {
		err := e.settleOnce(ctx, batch)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			e.lost(len(batch), err)
			return
		case !errors.Is(err, ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded):
			e.settleApart(ctx, batch, err)
			return
		}
		if batch = e.dropOld(batch, err); len(batch) == 0 {
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// settleApart keeps one damaged subject from holding up the others: halves are
// tried by themselves, and what fails alone is given up.
func (e *Engine) settleApart(ctx context.Context, batch []ending, err error) {
	if len(batch) == 1 {
		e.lost(1, err)
		return
	}
	half := len(batch) / 2
	e.settleBatch(ctx, batch[:half])
	e.settleBatch(ctx, batch[half:])
}

// dropOld gives up what the store has forgotten, and returns the rest. A store
// keeps a reservation for [LateSettle] after its lease ran out; one that may
// never have been made is over with its lease.
func (e *Engine) dropOld(batch []ending, err error) []ending {
	now := e.opts.Now()
	kept := batch[:0]
	for _, x := range batch {
		known := e.opts.Lease + LateSettle
		if x.silent {
			known = e.opts.Lease
		}
		if now.Sub(x.since) < known {
			kept = append(kept, x)
		}
	}
	if n := len(batch) - len(kept); n > 0 {
		e.lost(n, err)
	}
	return kept
}

// settleOnce sends a batch and tells everybody who waits for it.
func (e *Engine) settleOnce(ctx context.Context, batch []ending) error {
	var scratch [maxModel + maxWhy + 2*maxRequestID]byte
	settlements := make([]Settlement, len(batch))
	for i := range batch {
		settlements[i] = batch[i].reservation.settlement(&batch[i], scratch[:0])
	}
	limited, cancel := context.WithTimeout(ctx, e.opts.SettleTimeout)
	defer cancel()
	results, err := e.opts.Store.Settle(limited, settlements)
	if err != nil {
		return err
	}
	for i := range batch {
		result := Unknown
		if i < len(results) {
			result = results[i]
		}
		e.settled(&batch[i], result)
	}
	return nil
}

// settled passes on what the end of one reservation means to others.
func (e *Engine) settled(x *ending, result Result) {
	subject := x.reservation.req.Subject
	if x.mode != Charge {
		e.recent.forget(subject)
	}
	e.turns.Wake(subject)
	if x.ack != nil {
		x.ack <- result
	}
}

// losses counts settlements that were given up, and when that was last said.
type losses struct {
	total atomic.Int64

	mu     sync.Mutex
	unsaid int
	said   time.Time
}

// lost counts endings that were given up and says so, at most once a second.
func (e *Engine) lost(n int, err error) {
	e.losses.total.Add(int64(n))
	e.losses.mu.Lock()
	defer e.losses.mu.Unlock()
	e.losses.unsaid += n
	now := e.opts.Now()
	if since := now.Sub(e.losses.said); since >= 0 && since < time.Second {
		return
	}
	e.opts.Logger.Error("settlements given up; their leases end them", zap.Int("settlements", e.losses.unsaid), zap.Error(err))
	e.losses.unsaid, e.losses.said = 0, now
}
