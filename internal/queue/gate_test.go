package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// checkEmpty fails if anything of a caller is left behind.
func checkEmpty(t *testing.T, g *Gate) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free != g.budget || len(g.keys) != 0 || g.common.length != 0 || g.growing.length != 0 {
		t.Errorf("free %d of %d, %d keys, %d waiting, %d growing; want the gate as it was made",
			g.free, g.budget, len(g.keys), g.common.length, g.growing.length)
	}
}

func mustAcquire(t *testing.T, g *Gate, key string, limit int, weight int64) *Hold {
	t.Helper()
	h, err := g.Acquire(t.Context(), key, limit, weight, 0)
	if err != nil {
		t.Fatalf("Acquire(%q, limit %d, weight %d): %v", key, limit, weight, err)
	}
	return &h
}

func TestGateRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(100, 1)
		a := mustAcquire(t, g, "a", 1, 60)
		left, cancel := context.WithCancel(t.Context())
		cancel()
		for _, tc := range []struct {
			name   string
			ctx    context.Context
			key    string
			limit  int
			weight int64
			wait   time.Duration
			err    error
			after  time.Duration
		}{
			{name: "no place of the key", key: "a", limit: 1, weight: 1, wait: 2 * time.Second, err: ErrKeyFull, after: 2 * time.Second},
			{name: "no weight", key: "b", limit: 1, weight: 41, wait: time.Second, err: ErrBudget, after: time.Second},
			{name: "never enough weight", key: "b", limit: 1, weight: 101, wait: time.Second, err: ErrBudget},
			{name: "less than nothing", key: "b", limit: 1, weight: -1, wait: time.Second, err: ErrBudget},
			{name: "no time to wait", key: "a", limit: 1, weight: 1, err: ErrKeyFull},
			{name: "the caller leaves", ctx: left, key: "a", limit: 1, weight: 1, wait: time.Second, err: context.Canceled},
			{name: "the caller leaves without weight", ctx: left, key: "b", limit: 1, weight: 41, wait: time.Second, err: context.Canceled},
		} {
			ctx := tc.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			start := time.Now()
			_, err := g.Acquire(ctx, tc.key, tc.limit, tc.weight, tc.wait)
			if after := time.Since(start); !errors.Is(err, tc.err) || after != tc.after {
				t.Errorf("%s: Acquire = %v after %v; want %v after %v", tc.name, err, after, tc.err, tc.after)
			}
		}
		a.Release()
		a.Release()
		checkEmpty(t, g)
	})
}

func TestGateBoundsThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(100, 2)
		a := mustAcquire(t, g, "a", 1, 1)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				h, err := g.Acquire(t.Context(), "a", 1, 1, time.Second)
				if err != nil {
					t.Errorf("Acquire in line: %v", err)
				}
				h.Release()
			})
		}
		synctest.Wait()
		start := time.Now()
		if _, err := g.Acquire(t.Context(), "a", 1, 1, time.Second); !errors.Is(err, ErrKeyFull) || time.Since(start) != 0 {
			t.Errorf("Acquire behind a full line = %v after %v; want ErrKeyFull at once", err, time.Since(start))
		}
		a.Release()
		wg.Wait()
		checkEmpty(t, g)
	})
}

func TestGateServesAKeyInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1000, 100)
		a := mustAcquire(t, g, "a", 1, 1)
		var order []int // guarded by the one place of the key
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				h, err := g.Acquire(t.Context(), "a", 1, int64(20-i), time.Second)
				if err != nil {
					t.Errorf("Acquire %d: %v", i, err)
				}
				order = append(order, i)
				h.Release()
			})
			synctest.Wait()
		}
		b := mustAcquire(t, g, "b", 1, 1) // another key does not wait behind them
		b.Release()
		a.Release()
		wg.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("served in the order %v; want the order of arrival", order)
			}
		}
		checkEmpty(t, g)
	})
}

func TestGateServesAHeavyCallerBeforeALaterLightOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(100, 10)
		a := mustAcquire(t, g, "a", 0, 50)
		var order []string
		var wg sync.WaitGroup
		for _, c := range []struct {
			key    string
			weight int64
		}{{"heavy", 100}, {"light", 10}} {
			wg.Go(func() {
				h, err := g.Acquire(t.Context(), c.key, 1, c.weight, time.Second)
				if err != nil {
					t.Errorf("Acquire %s: %v", c.key, err)
				}
				order = append(order, c.key)
				h.Release()
			})
			synctest.Wait()
		}
		a.Release()
		wg.Wait()
		if len(order) != 2 || order[0] != "heavy" {
			t.Errorf("served %v; want the heavy one first", order)
		}
		checkEmpty(t, g)
	})
}

// The heavy caller that blocks the line goes away: those behind it are served.
func TestGateServesThoseBehindOneThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(100, 10)
		a := mustAcquire(t, g, "a", 0, 50)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = g.Acquire(ctx, "heavy", 1, 100, time.Minute) }()
		synctest.Wait()
		served := make(chan error, 1)
		go func() {
			h, err := g.Acquire(t.Context(), "light", 1, 10, time.Minute)
			served <- err
			h.Release()
		}()
		synctest.Wait()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Acquire behind the one that left: %v", err)
		}
		a.Release()
		synctest.Wait()
		checkEmpty(t, g)
	})
}

func TestHoldGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(100, 10)
		a, b := mustAcquire(t, g, "a", 1, 40), mustAcquire(t, g, "b", 1, 40)
		if err := a.Grow(t.Context(), 20, 0); err != nil || a.Weight() != 60 || g.Free() != 0 {
			t.Errorf("Grow = %v, weight %d, free %d; want 60 of 100 held and none free", err, a.Weight(), g.Free())
		}
		if err := a.Grow(t.Context(), 41, time.Minute); !errors.Is(err, ErrBudget) {
			t.Errorf("Grow beyond the budget = %v; want ErrBudget", err)
		}
		start := time.Now()
		if err := a.Grow(t.Context(), 1, time.Second); !errors.Is(err, ErrBudget) || time.Since(start) != time.Second || a.Weight() != 60 {
			t.Errorf("Grow of a full budget = %v after %v, weight %d; want ErrBudget after 1s, 60", err, time.Since(start), a.Weight())
		}

		// One that holds a place is served before one that does not.
		newcomer := make(chan error, 1)
		go func() {
			h, err := g.Acquire(t.Context(), "c", 1, 40, time.Minute)
			newcomer <- err
			h.Release()
		}()
		synctest.Wait()
		grown := make(chan error, 1)
		go func() { grown <- a.Grow(t.Context(), 40, time.Minute) }()
		synctest.Wait()
		b.Release()
		if err := <-grown; err != nil || a.Weight() != 100 {
			t.Errorf("Grow = %v, weight %d; want 100", err, a.Weight())
		}
		select {
		case err := <-newcomer:
			t.Errorf("the newcomer was served (%v) before there was room", err)
		default:
		}
		a.Release()
		if err := <-newcomer; err != nil {
			t.Errorf("newcomer: %v", err)
		}
		synctest.Wait()
		checkEmpty(t, g)
	})
}

// Many callers with random keys, weights, patience and manners: places and
// weight are never handed out twice, and all of it comes back.
func TestGateRandomWalk(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { walk(t, seed) })
	}
}

func walk(t *testing.T, seed uint64) {
	const limit = 3
	g := NewGate(1000, 5)
	var mu sync.Mutex
	var held int64
	places := map[string]int{}
	account := func(key string, place int, weight int64) {
		mu.Lock()
		defer mu.Unlock()
		held += weight
		places[key] += place
		if held > 1000 || places[key] > limit {
			t.Errorf("seed %d: %d held of 1000, %d places of key %s; want at most %d", seed, held, places[key], key, limit)
		}
	}
	var wg sync.WaitGroup
	for i := range 40 {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for range 30 {
				key := strconv.Itoa(r.IntN(4))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(40))*time.Millisecond)
				h, err := g.Acquire(ctx, key, limit, r.Int64N(500), time.Duration(r.IntN(30))*time.Millisecond)
				if err == nil {
					account(key, 1, h.Weight())
					time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
					before := h.Weight()
					if h.Grow(ctx, r.Int64N(300), time.Duration(r.IntN(10))*time.Millisecond) == nil {
						account(key, 0, h.Weight()-before)
					}
					time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
					account(key, -1, -h.Weight())
					h.Release()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	checkEmpty(t, g)
}

func TestGateAllocatesNothingWhenNobodyWaits(t *testing.T) {
	g := NewGate(1000, 5)
	ctx := t.Context()
	allocs := testing.AllocsPerRun(1000, func() {
		h, err := g.Acquire(ctx, "subject", 4, 10, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		h.Release()
	})
	if allocs > 0 {
		t.Errorf("Acquire and Release allocate %v times; want 0", allocs)
	}
}

func BenchmarkGate(b *testing.B) {
	g := NewGate(1<<20, 5)
	for b.Loop() {
		h, err := g.Acquire(b.Context(), "subject", 4, 10, time.Second)
		if err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}

// After a reload a key may hold more: who asks under the new limit is served
// when the one before it, under the old limit, goes away.
func TestGateLimitsMayDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(100, 10)
		a := mustAcquire(t, g, "a", 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = g.Acquire(ctx, "a", 1, 1, time.Minute) }()
		synctest.Wait()
		served := make(chan error, 1)
		go func() {
			h, err := g.Acquire(t.Context(), "a", 2, 1, time.Minute)
			served <- err
			h.Release()
		}()
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-served; err != nil || time.Since(start) != 0 {
			t.Errorf("Acquire under the new limit = %v after %v; want a place at once", err, time.Since(start))
		}
		a.Release()
		synctest.Wait()
		checkEmpty(t, g)
	})
}
