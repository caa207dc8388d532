package quota

import (
	"context"
	"errors"
	"testing"
	"time"
)

// inlineStore remembers settlements; it fails while away.
type inlineStore struct {
	Store
	settled int
	away    bool
}

func (s *inlineStore) Reserve(context.Context, *Request) (Decision, error) {
	return Decision{Status: OK, Now: time.Now().UnixMilli(), Windows: []WindowState{{Used: 1, Limit: 10}}}, nil
}

func (s *inlineStore) Settle(_ context.Context, batch []Settlement) ([]Result, error) {
	if s.away {
		return nil, ErrUnavailable
	}
	s.settled += len(batch)
	return make([]Result, len(batch)), nil
}

// With Inline the store knows of a charge when Keep returns; a store that is
// away is told later, as without.
func TestKeepInline(t *testing.T) {
	plan, err := NewPlan("tier", []Limit{{Amount: 10, Unit: Requests, Period: Day, Zone: time.UTC}}, Unlimited)
	if err != nil {
		t.Fatal(err)
	}
	store := &inlineStore{}
	e, err := NewEngine(Options{Store: store, Now: time.Now, Inline: true})
	if err != nil {
		t.Fatal(err)
	}
	reserve := func() *Reservation {
		r, err := e.Reserve(t.Context(), Claim{Subject: "s", Plan: plan})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	reserve().Keep(Entry{})
	if store.settled != 1 {
		t.Fatalf("Keep returned with %d settlements in the store, want 1", store.settled)
	}
	store.away = true
	reserve().Keep(Entry{})
	store.away = false
	if err := e.Stop(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if store.settled != 2 {
		t.Errorf("the store knows %d settlements in the end, want 2", store.settled)
	}
}
