package queue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const poll = 100 * time.Millisecond

func mustJoin(t *testing.T, turns *Turns, key string) *Turn {
	t.Helper()
	turn, err := turns.Join(key)
	if err != nil {
		t.Fatalf("Join(%q): %v", key, err)
	}
	return turn
}

func checkNobodyWaits(t *testing.T, turns *Turns) {
	t.Helper()
	if turns.waiting.Load() != 0 || len(turns.keys) != 0 {
		t.Errorf("%d waiting for %d keys; want none", turns.waiting.Load(), len(turns.keys))
	}
}

func TestTurnsTryNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(4)
		if turns.Busy("a") {
			t.Error("Busy before anybody joined")
		}
		first := mustJoin(t, turns, "a")
		start := time.Now()
		if err := first.Next(t.Context(), poll); err != nil || time.Since(start) != poll {
			t.Errorf("Next = %v after %v; want nil after %v", err, time.Since(start), poll)
		}
		if !turns.Busy("a") || turns.Busy("b") {
			t.Errorf("Busy(a), Busy(b) = %v, %v; want true, false", turns.Busy("a"), turns.Busy("b"))
		}
		first.Leave()
		first.Leave()
		checkNobodyWaits(t, turns)
	})
}

func TestTurnsWakeTheFirstOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(4)
		var order []int
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 4 {
			turn := mustJoin(t, turns, "a")
			wg.Go(func() {
				defer turn.Leave()
				if err := turn.Next(t.Context(), time.Hour); err != nil {
					t.Errorf("Next %d: %v", i, err)
				}
				order = append(order, i)
				time.Sleep(time.Second) // the next one tries when this one leaves
			})
		}
		synctest.Wait()
		turns.Wake("b")
		turns.Wake("a")
		wg.Wait()
		for i, got := range order {
			if got != i {
				t.Errorf("tried in the order %v; want the order of arrival", order)
			}
		}
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("4 turns of 1s took %v; want one after the other", took)
		}
		checkNobodyWaits(t, turns)
	})
}

func TestTurnsBehindTheFirstDoNotPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(4)
		first, second := mustJoin(t, turns, "a"), mustJoin(t, turns, "a")
		defer first.Leave()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := second.Next(ctx, poll); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next of the second = %v; want it to wait until its context ends", err)
		}
		second.Leave()
		second = mustJoin(t, turns, "a")
		defer second.Leave()
		first.Leave()
		start := time.Now()
		if err := second.Next(t.Context(), poll); err != nil || time.Since(start) != 0 {
			t.Errorf("Next of the new first = %v after %v; want a try at once", err, time.Since(start))
		}
	})
}

func TestTurnsBoundThoseThatWait(t *testing.T) {
	turns := NewTurns(1)
	first := mustJoin(t, turns, "a")
	if _, err := turns.Join("a"); !errors.Is(err, ErrKeyFull) {
		t.Errorf("Join of a full line = %v; want ErrKeyFull", err)
	}
	first.Leave()
	checkNobodyWaits(t, turns)
	if _, err := NewTurns(0).Join("a"); !errors.Is(err, ErrKeyFull) {
		t.Errorf("Join where nobody may wait = %v; want ErrKeyFull", err)
	}
}
