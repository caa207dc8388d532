//go:build exact

package exact

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// kill kills a gateway whose requests are all under way: they come back when
// their lease ends, those of the other gateways outlive it, and what is left is
// exactly the limit.
func (f *fleet) kill(t *testing.T) {
	const person, before, each = "victim", 8, 4
	c := newCaller(t, person, f.users.Token[person], 40)
	sum := c.burst(t, f.gateways, before, before)
	if s := f.settled(t, person); s.used != sum.answered || sum.answered != before {
		t.Fatalf("before: %s, stored %d; want %d", &sum, s.used, before)
	}

	held := each * len(f.gateways)
	ended := make(chan tally, 1)
	go func() {
		ended <- together(held, func(i int) tally {
			return c.insist(t.Context(), f.gateways[i%fleetSize].URL, answerHeld)
		})
	}()
	harness.Poll(t, 10*time.Second, "requests at the model", arrived(f.model, person, held))
	f.gateways[0].Kill()
	f.all.gateways++
	if s := f.stored(t, person); s.used != before+held || s.open != held {
		t.Errorf("after the kill the store holds %+v; want %d used, %d open", s, before+held, held)
	}
	time.Sleep(afterLease)
	running := held - each
	if r := f.report(t, person); r.used() != before || r.reserved() != running || r.InFlight.Used != running {
		t.Errorf("after the lease GET /quota says %+v; want %d used and %d running", r, before, running)
	}
	f.model.letGo()
	rest := <-ended
	if rest.answered != running || rest.broken != each {
		t.Errorf("the held requests: %s; want %d answered, %d broken", &rest, running, each)
	}
	sum.add(rest)
	f.gateways = f.gateways[1:]
	f.refill(t, c, &sum)
}

// refill checks that exactly what was answered is charged, uses up the rest,
// and checks that again.
func (f *fleet) refill(t *testing.T, c *caller, sum *tally) {
	t.Helper()
	harness.Poll(t, settling, "the answers to be settled", func() error { return unreserved(f.report(t, c.name)) })
	if r := f.report(t, c.name); r.used() != sum.answered {
		t.Errorf("GET /quota says %+v; want %d used, as were answered", r, sum.answered)
	}
	sum.add(c.fill(t, f.gateways, sum.answered))
	sum.noOdd(t)
	f.all.add(*sum)
	if s := f.settled(t, c.name); s.used != c.limit {
		t.Errorf("stored: %+v; want %d used", s, c.limit)
	}
}

// killUnderLoad kills a gateway at any moment of steady work.
func (f *fleet) killUnderLoad(t *testing.T) {
	const person = "loaded"
	c := newCaller(t, person, f.users.Token[person], 1000)
	var stop atomic.Bool
	gateways, model := f.gateways, f.model
	done := make(chan tally, 1)
	go func() {
		done <- together(32, func(i int) (n tally) {
			for turn := i; !stop.Load() && n.total() < 25; turn++ {
				n.add(c.ask(t.Context(), gateways[turn%len(gateways)].URL, answerNow))
			}
			return n
		})
	}()
	harness.Poll(t, 10*time.Second, "load", func() error { return atLeast(model.seen(person, answerNow), 60+rand.N(100)) })
	killed := time.Now()
	gateways[0].Kill()
	f.all.gateways++
	time.Sleep(100 * time.Millisecond)
	stop.Store(true)
	sum := <-done
	f.gateways = gateways[1:]
	time.Sleep(afterLease)

	used := f.report(t, person).used()
	f.all.lost += checkKilled(t, &sum, used, sum.since(gateways[0].URL, killed.Add(-unsettled)))
	rest := c.fill(t, f.gateways, used)
	sum.add(rest)
	f.all.add(sum)
	if s := f.settled(t, person); s.used != c.limit {
		t.Errorf("stored: %+v; want %d used", s, c.limit)
	}
}

// unsettled is how long before a kill an answer may have ended that still comes
// back: charges are settled off the caller's path, just after the answer.
const unsettled = 100 * time.Millisecond

// since counts the answers that a gateway gave since a moment.
func (n *tally) since(gateway string, moment time.Time) (count int) {
	for _, e := range n.ends {
		if e.gateway == gateway && e.at.After(moment) {
			count++
		}
	}
	return count
}

// checkKilled compares what callers got with what is charged when the leases of
// a gateway have ended that was killed at any moment. Each answer is charged,
// but of the last ones some may have come back; nobody is charged for more than
// the answers and those that the kill cut off on their way. It returns how many
// came back.
func checkKilled(t *testing.T, n *tally, used, last int) (lost int) {
	t.Helper()
	if used < n.answered-last || used > n.answered+n.broken {
		t.Errorf("%s; %d charged: want each answer but at most the last %d, and at most the %d broken ones beside", n, used, last, n.broken)
	}
	return max(0, n.answered-used)
}
