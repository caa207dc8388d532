package quota

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/internal/queue"
)

// Options makes an [Engine]. Store and Now are required; every other zero value
// stands for its default.
type Options struct {
	// Store keeps the counters.
	Store Store
	// Now is the local clock. It chooses windows and ages; what counts is
	// decided by the store's clock alone.
	Now func() time.Time
	// Logger gets what went wrong off a request's path. Default: none.
	Logger *zap.Logger

	// Inline makes Keep tell the store before it returns, so that a process that
	// is killed owes it next to nothing. It is for stores in this process, whose
	// call takes microseconds. Default: charges are settled off the request's
	// path, in batches.
	Inline bool

	// Lease is how long a reservation outlives this process, at most
	// [MaxLease]. Default: 60 s.
	Lease time.Duration
	// StoreTimeout is how long one step of a call to the store may take, see
	// [Timed]; the three below follow from it. Default: 150 ms.
	StoreTimeout time.Duration
	// ReserveTimeout bounds one question to the store. Default: 4/3 of
	// StoreTimeout, at least 200 ms.
	ReserveTimeout time.Duration
	// RefundTimeout bounds how long GiveBack waits for the store's word.
	// Default: 2/3 of StoreTimeout, at least 100 ms.
	RefundTimeout time.Duration
	// SettleTimeout bounds one call with a batch of settlements or leases,
	// which nobody waits for. Default: 20/3 of StoreTimeout, at least 1 s.
	SettleTimeout time.Duration
	// InFlightWait is how long a request waits for another one of its subject
	// to end. Default: 2 s; negative: not at all.
	InFlightWait time.Duration
	// Waiting is how many requests of one subject wait so. Default: 256.
	Waiting int
	// Backlog is how many settlements the store may owe an answer to; beyond
	// it callers wait, at most RefundTimeout each, and beyond four times as
	// many settlements are given up. Default: 8192.
	Backlog int
	// Batch is the most settlements in one call. Default: 256.
	Batch int
}

// Engine drives a [Store] for one gateway process: it reserves, settles off the
// requests' path, and keeps the leases of those that run. It outlives reloads,
// so that what was reserved under one configuration is settled under the next.
type Engine struct {
	opts Options

	ids     ids
	offset  atomic.Int64 // the store's clock minus ours, ms
	open    openSet
	recent  recent
	turns   *queue.Turns
	backlog *backlog
	losses  losses

	starting sync.Once
	stopping atomic.Bool
	run      context.Context //nolint:containedctx // the life of the two goroutines
	abort    context.CancelFunc
	ended    sync.WaitGroup
}

// NewEngine returns an engine that does not run yet. Reservations may be made
// before Start; they are settled after it.
func NewEngine(o Options) (*Engine, error) {
	if o.Store == nil || o.Now == nil {
		return nil, errors.New("quota: an engine needs a store and a clock")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	o.fill()
	if min(o.Lease, o.StoreTimeout, o.ReserveTimeout, o.RefundTimeout, o.SettleTimeout) < 0 || min(o.Waiting, o.Backlog, o.Batch) < 0 {
		return nil, errors.New("quota: lease, timeouts and sizes of an engine are positive")
	}
	if o.Lease > MaxLease {
		return nil, fmt.Errorf("quota: lease %v: at most %v, as long as the charge of a gateway that was killed may be held", o.Lease, MaxLease)
	}
	e := &Engine{opts: o, turns: queue.NewTurns(o.Waiting), backlog: newBacklog(o.Backlog)}
	e.run, e.abort = context.WithCancel(context.Background())
	return e, nil
}

// MaxLease is the longest [Options.Lease]. Renewals, a third of a lease apart,
// must keep a store in use that no configuration names any more.
const MaxLease = 10 * time.Minute

// fill replaces zero values by their defaults.
func (o *Options) fill() {
	orDefault(&o.Lease, 60*time.Second)
	orDefault(&o.StoreTimeout, 150*time.Millisecond)
	orDefault(&o.ReserveTimeout, max(200*time.Millisecond, o.StoreTimeout*4/3))
	orDefault(&o.RefundTimeout, max(100*time.Millisecond, o.StoreTimeout*2/3))
	orDefault(&o.SettleTimeout, max(time.Second, o.StoreTimeout*20/3))
	orDefault(&o.InFlightWait, 2*time.Second)
	orDefault(&o.Waiting, 256)
	orDefault(&o.Backlog, 8192)
	orDefault(&o.Batch, 256)
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Start begins to settle and to prolong leases. Called again, it does nothing.
func (e *Engine) Start() {
	e.starting.Do(func() {
		e.ended.Go(e.settleAll)
		e.ended.Go(e.renewAll)
	})
}

// Stop settles everything that has ended and stops; it returns an error if ctx
// ends first, and then the leases of the rest run out. Reservations that are
// still running settle by themselves, each in a call of its own. A stopped
// engine reserves nothing and cannot be started again.
func (e *Engine) Stop(ctx context.Context) error {
	e.Start() // what was settled before anybody started
	e.stopping.Store(true)
	e.backlog.finish()
	defer e.abort()

	flushed := make(chan struct{})
	go func() {
		e.ended.Wait()
		close(flushed)
	}()
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		e.abort()
		left := e.backlog.abandon()
		if left > 0 {
			e.lost(left, ctx.Err())
		}
		<-flushed
		return fmt.Errorf("quota: stopped with %d settlements unsent: %w", left, ctx.Err())
	}
}

// Open is how many reservations run in this process.
func (e *Engine) Open() int64 { return e.open.count.Load() }

// Queued is how many settlements the store has not been sent yet.
func (e *Engine) Queued() int {
	e.backlog.mu.Lock()
	defer e.backlog.mu.Unlock()
	return e.backlog.length()
}

// Lost is how many settlements were given up since the engine began; their
// leases ended them.
func (e *Engine) Lost() int64 { return e.losses.total.Load() }

// Recent returns the refusal of a subject that was told a moment ago, at most
// one second, that a window is spent; nil if there is none. It asks nobody.
func (e *Engine) Recent(subject string) *Refusal { return e.recent.find(subject, e.opts.Now()) }
