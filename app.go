package llmgateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/quota"
)

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "llm_gateway",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision implements caddy.Provisioner. It does no I/O.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	return metrics.register(ctx.GetMetricsRegistry())
}

// Start implements caddy.App: from here on background work runs.
func (a *App) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.stores {
		if err := s.Open(); err != nil {
			return fmt.Errorf("opening the quota store: %w", err)
		}
	}
	for _, g := range a.verifiers {
		if err := g.Start(); err != nil {
			return fmt.Errorf("starting verifier: %w", err)
		}
		a.started = append(a.started, g)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.stopLearning = cancel
	for _, l := range a.learners {
		go l.run(ctx)
	}
	return nil
}

// Stop implements caddy.App. Charges of requests that still run are settled by
// the engine, which lives on while anybody holds it.
func (a *App) Stop() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopLearning != nil {
		a.stopLearning()
	}
	var errs []error
	for _, g := range a.started {
		errs = append(errs, g.Stop())
	}
	a.started = nil
	return errors.Join(errs...)
}

// addVerifier hands a bound verifier to the app, which starts and stops it.
func (a *App) addVerifier(g auth.Guest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verifiers = append(a.verifiers, g)
}

// opener is a store with something to do once its configuration is in force: to
// open its file, so that a second process is told at start and not by its first
// request; to offer a password, so that a rejected configuration offers none.
type opener interface{ Open() error }

// addStore hands over a store that is opened at start.
func (a *App) addStore(s opener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stores = append(a.stores, s)
}

// addLearner hands over a backend whose models are asked for in the background.
func (a *App) addLearner(l *learner) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.learners = append(a.learners, l)
}

// engines holds one quota engine per set of counters. An engine outlives the
// configuration that brought it: charges opened before a reload are settled
// through it, and the next configuration finds it here.
var engines = caddy.NewUsagePool()

// sharedEngine is an engine in the pool. busy counts the requests that may still
// ask it: a reload does not wait for them.
type sharedEngine struct {
	*quota.Engine
	busy atomic.Int64
}

// settleGrace is how long an engine may take to write what is still queued
// when the last configuration that uses it is gone. Kubernetes and Caddy's own
// grace period are longer.
const settleGrace = 5 * time.Second

// Destruct implements caddy.Destructor. Requests that outlive the configuration
// still reserve, hold charges whose leases must be prolonged, and settle: the
// engine stops with the last of them, or when the process ends.
func (e *sharedEngine) Destruct() error {
	if e.busy.Load() == 0 || caddy.Exiting() {
		return e.stop()
	}
	go func() {
		for e.busy.Load() > 0 {
			time.Sleep(drainPoll)
		}
		_ = e.stop() // what it could not write, the leases end
	}()
	return nil
}

func (e *sharedEngine) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), settleGrace)
	defer cancel()
	return e.Stop(ctx)
}

// drainPoll is how often an engine that nobody configures any more looks
// whether its last stream has ended.
const drainPoll = time.Second

// leaseEngine returns the engine of the counters that key names.
func leaseEngine(key string, options quota.Options) (*sharedEngine, error) {
	value, _, err := engines.LoadOrNew(key, func() (caddy.Destructor, error) {
		e, err := quota.NewEngine(options)
		if err != nil {
			return nil, err
		}
		e.Start()
		return &sharedEngine{Engine: e}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening the quota engine: %w", err)
	}
	return value.(*sharedEngine), nil
}

// openCharges sums what all engines hold open, for the metric.
func openCharges() float64 {
	var n int64
	engines.Range(func(_, value any) bool {
		n += value.(*sharedEngine).Open()
		return true
	})
	return float64(n)
}

// appState is what an App holds beside its configuration.
type appState struct {
	logger *zap.Logger

	mu           sync.Mutex
	verifiers    []auth.Guest
	started      []auth.Guest
	learners     []*learner
	stores       []opener
	stopLearning context.CancelFunc
}

// Interface guards
var (
	_ caddy.App         = (*App)(nil)
	_ caddy.Provisioner = (*App)(nil)
)
