package quota

import (
	"context"
	"sync"
	"testing"
	"time"
)

// free is a store that costs nothing, so that what is measured is the engine.
type free struct {
	windows []WindowState
	results [256]Result
	mu      sync.Mutex
	settled int
}

func (f *free) Reserve(context.Context, *Request) (Decision, error) {
	return Decision{Windows: f.windows}, nil
}

func (f *free) Settle(_ context.Context, batch []Settlement) ([]Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled += len(batch)
	return f.results[:len(batch)], nil
}

func (f *free) Renew(context.Context, []Lease) ([]bool, error) { return nil, nil }
func (f *free) Read(context.Context, string) (Record, error)   { return Record{}, nil }

func engineOnFree(tb testing.TB) *Engine {
	tb.Helper()
	e, err := NewEngine(Options{Store: &free{windows: make([]WindowState, 1)}, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	e.Start()
	tb.Cleanup(func() { _ = e.Stop(context.Background()) })
	return e
}

// allocsAllowed is the ceiling of what Reserve and Keep allocate above the
// store, the settlement included.
const allocsAllowed = 8

func TestReserveAndKeepAllocateLittle(t *testing.T) {
	e := engineOnFree(t)
	p := mustPlan(t, 8, perDay(1000))
	line := Entry{Model: "claude-haiku-4-5", Why: "answered", RequestID: "req_1"}
	ctx, cancel := context.WithCancel(t.Context()) // as a request's context is
	defer cancel()
	got := testing.AllocsPerRun(2000, func() {
		r, err := e.Reserve(ctx, Claim{Subject: alice, Session: "s", IssuedAt: time.Unix(1, 0), Plan: p})
		if err != nil {
			t.Fatal(err)
		}
		r.Keep(line)
	})
	t.Logf("Reserve and Keep: %v allocations", got)
	if got > allocsAllowed {
		t.Errorf("Reserve and Keep allocate %v times; want at most %d", got, allocsAllowed)
	}
}

func BenchmarkReserveKeep(b *testing.B) {
	e := engineOnFree(b)
	p := mustPlan(b, 8, perDay(1000))
	line := Entry{Model: "claude-haiku-4-5", Why: "answered", RequestID: "req_1"}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := e.Reserve(ctx, Claim{Subject: alice, Plan: p})
			if err != nil {
				b.Fatal(err)
			}
			r.Keep(line)
		}
	})
}

func BenchmarkRecent(b *testing.B) {
	e := engineOnFree(b)
	e.recent.remember("somebody", &Refusal{RetryAfter: time.Hour}, time.Now(), 0)
	for b.Loop() {
		if e.Recent(alice) != nil {
			b.Fatal("refused")
		}
	}
}
