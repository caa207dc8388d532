package store_test

import (
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/store"
)

// clock is moved by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func TestBreaker(t *testing.T) {
	const ok, failed = true, false
	type step struct {
		after time.Duration // waited before
		allow bool          // what Allow must say
		done  []bool        // what is then reported
	}
	for _, tc := range []struct {
		name  string
		steps []step
		open  bool
	}{
		{name: "closed at first", steps: []step{{allow: true}}},
		{name: "two failures are an accident", steps: []step{{allow: true, done: []bool{failed, failed}}, {allow: true}}},
		{name: "three in a row open it", steps: []step{{allow: true, done: []bool{failed, failed, failed}}, {allow: false}}, open: true},
		{name: "a success in between starts over", steps: []step{{allow: true, done: []bool{failed, failed, ok, failed, failed}}, {allow: true}}},
		{name: "one probe each 250 ms", steps: []step{
			{allow: true, done: []bool{failed, failed, failed}},
			{after: 249 * time.Millisecond, allow: false},
			{after: time.Millisecond, allow: true},
			{allow: false},
			{after: 250 * time.Millisecond, allow: true},
		}, open: true},
		{name: "a probe that fails keeps it open", steps: []step{
			{allow: true, done: []bool{failed, failed, failed}},
			{after: 250 * time.Millisecond, allow: true, done: []bool{failed}},
			{after: 249 * time.Millisecond, allow: false},
		}, open: true},
		{name: "a probe that succeeds closes it", steps: []step{
			{allow: true, done: []bool{failed, failed, failed}},
			{after: 250 * time.Millisecond, allow: true, done: []bool{ok}},
			{allow: true, done: []bool{failed, failed}},
			{allow: true},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &clock{t: time.Unix(1_700_000_000, 0)}
			b := store.NewBreaker(c.now)
			for i, s := range tc.steps {
				c.t = c.t.Add(s.after)
				if got := b.Allow(); got != s.allow {
					t.Fatalf("step %d: Allow() = %v; want %v", i, got, s.allow)
				}
				for _, d := range s.done {
					b.Done(d)
				}
			}
			if got := b.Open(); got != tc.open {
				t.Errorf("Open() = %v; want %v", got, tc.open)
			}
		})
	}
}

func TestBreakerForgetsProbeOfCallerWhoLeft(t *testing.T) {
	c := &clock{t: time.Unix(1_700_000_000, 0)}
	b := store.NewBreaker(c.now)
	for range 3 {
		b.Done(false)
	}
	c.t = c.t.Add(250 * time.Millisecond)
	if !b.Allow() {
		t.Fatal("the probe was not let through")
	}
	b.Forget()
	if !b.Allow() {
		t.Error("after Forget the next caller may not probe")
	}
}
