//go:build exact

package exact

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// single is one gateway that keeps its counters itself and can be killed and
// started again on its files.
type single struct {
	*gateway
	model   *upstream
	caller  *caller
	address string
	dir     string
	config  []byte
}

func newSingle(t *testing.T, tier string, limit int) *single {
	t.Helper()
	s := &single{model: newUpstream(t), address: harness.Address(t), dir: harness.Dir(t)}
	users := harness.WriteUsers(t, map[string]string{"ann": tier})
	s.caller = newCaller(t, "ann", users.Token["ann"], limit)
	s.config = configFor(t, users, "embedded "+filepath.Join(s.dir, "quota"), s.model.URL)(s.address, s.dir)
	s.start(t)
	return s
}

func (s *single) start(t *testing.T) {
	t.Helper()
	s.gateway = runGateway(t, s.address, s.dir, s.config)
	s.awaitReady(t)
	if t.Failed() {
		t.FailNow()
	}
}

func (s *single) report(t *testing.T) report {
	t.Helper()
	return quotaOf(t, s.URL, s.caller.token)
}

// embeddedKill kills the gateway when its answers are settled, with others under
// way: the answers are charged, the others come back.
func embeddedKill(t *testing.T, all *figures) {
	const before, held = 30, 7
	s := newSingle(t, "hundred", 100)
	ended := make(chan tally, 1)
	go func() {
		ended <- together(held, func(int) tally { return s.caller.insist(t.Context(), s.URL, answerHeld) })
	}()
	harness.Poll(t, 10*time.Second, "requests at the model", arrived(s.model, "ann", held))
	sum := s.caller.burst(t, []*gateway{s.gateway}, 8, before)
	harness.Poll(t, settling, "the answers to be settled", func() error { return atMost(s.report(t).reserved(), held) })
	s.Kill()
	all.gateways++
	sum.add(<-ended)
	if sum.answered != before || sum.broken != held {
		t.Fatalf("%s; want %d answered, %d broken", &sum, before, held)
	}
	s.start(t)
	time.Sleep(afterLease)
	if r := s.report(t); r.used() != before || r.reserved() != 0 || r.InFlight.Used != 0 || len(r.Ledger) != before {
		t.Errorf("after the lease GET /quota says %+v; want %d used, as were answered", r, before)
	}
	s.refill(t, all, &sum, before)
}

// embeddedUnderLoad kills the gateway at any moment of steady work.
func embeddedUnderLoad(t *testing.T, all *figures) {
	s := newSingle(t, "thousand", 1000)
	done := make(chan tally, 1)
	go func() {
		done <- together(16, func(int) (n tally) {
			for n.broken+n.unreached == 0 && n.total() < 25 {
				n.add(s.caller.ask(t.Context(), s.URL, answerNow))
			}
			return n
		})
	}()
	harness.Poll(t, 10*time.Second, "load", func() error { return atLeast(s.model.seen("ann", answerNow), 50+rand.N(150)) })
	killed := time.Now()
	s.Kill()
	all.gateways++
	sum := <-done
	s.start(t)
	time.Sleep(afterLease)
	used := s.report(t).used()
	all.lost += checkKilled(t, &sum, used, sum.since(s.URL, killed.Add(-unsettled)))
	s.refill(t, all, &sum, used)
}

// refill uses up the rest of the limit and checks that it was exactly that.
func (s *single) refill(t *testing.T, all *figures, sum *tally, charged int) {
	t.Helper()
	sum.add(s.caller.fill(t, []*gateway{s.gateway}, charged))
	all.add(*sum)
	harness.Poll(t, settling, "the answers to be settled", func() error { return unreserved(s.report(t)) })
	if r := s.report(t); r.used() != s.caller.limit {
		t.Errorf("at last GET /quota says %+v; want %d used", r, s.caller.limit)
	}
}
