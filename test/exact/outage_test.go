//go:build exact

package exact

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

const (
	// recoverWithin is how soon a gateway answers again after the server does.
	recoverWithin = 1500 * time.Millisecond
	// noticed is when every gateway has seen that the server is away, and
	// requests that were past their reservation have their answer.
	noticed = 250 * time.Millisecond
)

// outage kills redis-server under load and starts it again: what was answered
// is what is stored, nothing is answered while it is away, and every gateway
// recovers by itself.
func (f *fleet) outage(t *testing.T) {
	const person = "caller"
	c := newCaller(t, person, f.users.Token[person], 1000)
	var stop, away atomic.Bool
	var passed atomic.Int64 // answers to requests that began while the server was away
	done := make(chan tally, 1)
	go func() {
		done <- together(24, func(i int) (n tally) {
			for turn := i; !stop.Load() && n.answered < 35; turn++ {
				begunAway := away.Load()
				one := c.ask(t.Context(), f.gateways[turn%fleetSize].URL, answerNow)
				if begunAway && away.Load() && one.answered > 0 {
					passed.Add(1)
				}
				n.add(one)
				time.Sleep(5 * time.Millisecond * time.Duration(1+3*one.unavailable))
			}
			return n
		})
	}()
	harness.Poll(t, 10*time.Second, "load", func() error { return atLeast(f.model.seen(person, answerNow), 100) })
	f.redis.Kill()
	f.all.redises++
	away.Store(true)
	time.Sleep(noticed)
	away.Store(false)
	f.redis.Restart()
	probes := f.recovery(t, c)
	time.Sleep(100 * time.Millisecond)
	stop.Store(true)
	sum := <-done
	sum.noOdd(t)
	f.all.add(sum)
	f.all.unavailable -= sum.unavailable // they are what the outage is for
	if n := passed.Load(); n > 0 || sum.unavailable == 0 {
		t.Errorf("%d requests answered while the store was away, %d refused; want none and some", n, sum.unavailable)
	}
	if sum.broken+sum.refused > 0 {
		t.Errorf("%s; want answers and 503 only", &sum)
	}
	// What was in doubt is given back at the end of its lease at the latest.
	time.Sleep(afterLease)
	answered := sum.answered + probes
	if s := f.settled(t, person); s.used != answered {
		t.Errorf("stored: %+v; want %d used, as were answered (%s)", s, answered, &sum)
	}
}

// recovery waits until every gateway answers again, all at the same time, and
// returns how many requests were answered for it.
func (f *fleet) recovery(t *testing.T, c *caller) (answered int) {
	t.Helper()
	start := time.Now()
	var mu sync.Mutex
	f.each(fleetSize, func(g *gateway, i int) {
		for {
			n := c.ask(t.Context(), g.URL, recovered)
			took := time.Since(start)
			if n.answered == 0 && took < 10*time.Second {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			mu.Lock()
			defer mu.Unlock()
			answered += n.answered
			f.all.recovery = max(f.all.recovery, took)
			if n.answered == 0 || took > recoverWithin {
				t.Errorf("gateway %d answered %d ms after redis-server did; want at most %d", i, took.Milliseconds(), recoverWithin.Milliseconds())
			}
			return
		}
	})
	return answered
}

// recovered is the word of the requests that look for recovery. The model
// answers unknown words at once.
const recovered = "recovered"
