package quota_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/embedded"
)

// The engine on a real store: what people are told is what was charged.
func TestEngineOnTheEmbeddedStore(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 23, 18, 48, 0, 0, time.UTC) }
	store, _, err := embedded.Open(t.TempDir(), now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	e, err := quota.NewEngine(quota.Options{Store: store, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	plan, err := quota.NewPlan("free", []quota.Limit{{Amount: 3, Unit: quota.Requests, Period: quota.Day}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	claim := quota.Claim{Subject: "0123456789abcdef0123456789abcdef", Session: "s-1", IssuedAt: now(), Plan: plan}
	reserve := func() *quota.Reservation {
		t.Helper()
		r, err := e.Reserve(t.Context(), claim)
		if err != nil {
			t.Fatalf("Reserve: %v", err)
		}
		return r
	}

	if got, err := reserve().GiveBack(t.Context(), quota.GiveBack, quota.Entry{Why: "refunded: upstream 529", RequestID: "req_1"}); got != quota.Done || err != nil {
		t.Errorf("GiveBack = %v, %v; want it done", got, err)
	}
	reserve().Keep(quota.Entry{Model: "qwen3-32b", Why: "answered", RequestID: "req_2"})
	reserve().Keep(quota.Entry{Model: "qwen3-32b", Why: "answered", RequestID: "req_3"})
	running := reserve()
	var refusal *quota.Refusal
	if _, err := e.Reserve(t.Context(), claim); !errors.As(err, &refusal) || refusal.Status != quota.Spent || refusal.Used != 3 {
		t.Errorf("Reserve beyond the limit = %v; want 3 of 3 spent", err)
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}

	u, err := e.Usage(t.Context(), claim.Subject, plan)
	if err != nil {
		t.Fatalf("Usage: %v", err)
	}
	if w := u.Windows[0]; w.Used != 2 || w.Reserved != 1 || w.Remaining != 0 || u.InFlight != 1 {
		t.Errorf("Usage = %+v, %d in flight; want 2 used, 1 reserved, 0 left, 1 in flight", w, u.InFlight)
	}
	changes := map[string]int64{}
	for _, entry := range u.Ledger {
		changes[entry.RequestID+" "+entry.Why] = entry.Change
	}
	if len(changes) != 3 || changes["req_2 answered"] != -1 || changes["req_3 answered"] != -1 || changes["req_1 refunded: upstream 529"] != 0 {
		t.Errorf("ledger = %+v; want two answered and one refunded", u.Ledger)
	}
	running.Keep(quota.Entry{})
}

// late is a store that charges and whose word does not come in time.
type late struct {
	quota.Store
	since bool
}

func (s *late) Reserve(ctx context.Context, r *quota.Request) (quota.Decision, error) {
	d, err := s.Store.Reserve(ctx, r)
	if s.since {
		return quota.Decision{}, fmt.Errorf("%w: i/o timeout", quota.ErrUnavailable)
	}
	return d, err
}

// However often a store is late, the subject has its whole day afterwards, and
// all of its refunds.
func TestALateStoreUsesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _, err := embedded.Open(t.TempDir(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.Close() }()
		slow := &late{Store: store, since: true}
		e, err := quota.NewEngine(quota.Options{Store: slow, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		e.Start()
		defer func() { _ = e.Stop(context.Background()) }()
		plan, err := quota.NewPlan("free", []quota.Limit{{Amount: 10, Unit: quota.Requests, Period: quota.Day}}, 4)
		if err != nil {
			t.Fatal(err)
		}
		claim := quota.Claim{Subject: "0123456789abcdef0123456789abcdef", Plan: plan}
		for range 30 {
			if _, err := e.Reserve(t.Context(), claim); !errors.Is(err, quota.ErrUnavailable) {
				t.Fatalf("Reserve = %v; want ErrUnavailable", err)
			}
			time.Sleep(time.Millisecond)
		}
		slow.since = false
		for i := range 20 {
			r, err := e.Reserve(t.Context(), claim)
			if err != nil {
				t.Fatalf("request %d after the store was late: %v", i, err)
			}
			if got, err := r.GiveBack(t.Context(), quota.GiveBack, quota.Entry{}); got != quota.Done || err != nil {
				t.Fatalf("refund %d = %v, %v; want it done: none was used up", i, got, err)
			}
		}
	})
}
