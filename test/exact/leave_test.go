//go:build exact

package exact

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// How many clients leave at which stage, of a limit of 100 whose cap on refunds
// is 10 for clients that leave and 100 for failures.
const (
	leaveInHeaders = 20
	leaveInBody    = 20
	leaveUnheard   = 30 // before any content
	leaveMid       = 20 // after the first content
	stay           = 10
	failing        = 8

	refundCap = 10
	leftOver  = leaveUnheard - refundCap + leaveMid + stay // what is charged of all these
)

// leave lets clients leave at every stage, all at once: the counter, the ledger
// and what the model saw agree to the unit, and refunds stop at their cap.
func (f *fleet) leave(t *testing.T) {
	const person = "leaver"
	c := newCaller(t, person, f.users.Token[person], 100)
	var all sync.WaitGroup
	var sum tally
	all.Go(func() { f.each(leaveInHeaders, func(g *gateway, _ int) { f.leaveRaw(t, c, g, 60) }) })
	all.Go(func() { f.each(leaveInBody, func(g *gateway, _ int) { f.leaveRaw(t, c, g, -20) }) })
	all.Go(func() { f.each(leaveUnheard, func(g *gateway, i int) { f.leaveUnheard(t, c, g, i, leaveUnheard) }) })
	all.Go(func() { f.each(leaveMid, func(g *gateway, i int) { f.leaveMid(t, c, g, i) }) })
	all.Go(func() {
		sum = together(stay+failing, func(i int) tally {
			if i < stay {
				return c.insist(t.Context(), f.gateways[i%fleetSize].URL, answerNow)
			}
			return c.insist(t.Context(), f.gateways[i%fleetSize].URL, fail)
		})
	})
	all.Wait()
	sum.noOdd(t)
	if sum.answered != stay || sum.failed != failing {
		t.Fatalf("those that stayed: %s; want %d answered, %d failed", &sum, stay, failing)
	}
	harness.Poll(t, settling, "the model to be left", func() error {
		return atLeast(f.model.gone(person, answerHeld, think, speak), leaveUnheard+leaveMid)
	})
	s := f.settled(t, person)
	if s.used != leftOver || s.charged() != leftOver {
		t.Errorf("stored: %+v; want %d charged, in the counter and in the ledger", s, leftOver)
	}
	if s.lines("DONE c") != refundCap || s.lines("KEPT c") != leaveUnheard-refundCap ||
		s.lines("DONE s") != leaveMid+stay || s.lines("DONE f") != failing {
		t.Errorf("the ledger holds %v; want %d DONE c, %d KEPT c, %d DONE s, %d DONE f", s.ledger,
			refundCap, leaveUnheard-refundCap, leaveMid+stay, failing)
	}
	f.finish(t, c, &sum, leftOver)
}

// storm lets clients leave whenever it pleases them: nothing leaks, the ledger
// sums up to the counter, and the caps hold.
func (f *fleet) storm(t *testing.T) {
	const person, clients = "stormer", 90
	words := []string{answerNow, answerNow, answerHeld, think, speak, fail}
	c := newCaller(t, person, f.users.Token[person], 100)
	sum := together(clients, func(i int) tally {
		ctx, cancel := context.WithTimeout(t.Context(), rand.N(60*time.Millisecond))
		defer cancel()
		return c.ask(ctx, f.gateways[i%fleetSize].URL, words[i%len(words)])
	})
	time.Sleep(afterLease) // a reservation in doubt ends with its lease at the latest
	s := f.settled(t, person)
	if s.used != s.charged() {
		t.Errorf("stored: %+v; the ledger sums up to %d, want the counter", s, s.charged())
	}
	if s.used < sum.answered || s.used > sum.answered+sum.broken {
		t.Errorf("%s; %d charged: want each answer charged, and at most those that left beside", &sum, s.used)
	}
	if back := s.lines("DONE c"); back > refundCap {
		t.Errorf("%d refunds for leaving; want at most %d", back, refundCap)
	}
	if n := f.model.seen(person, words[1:]...); n > s.lines("DONE s", "DONE c", "DONE f", "KEPT c", "KEPT f", "LATE s", "LATE c", "LATE f") {
		t.Errorf("the model saw %d requests; the ledger holds only %v", n, s.ledger)
	}
	f.finish(t, c, &sum, s.used)
}

// finish uses up what is left of the limit.
func (f *fleet) finish(t *testing.T, c *caller, sum *tally, charged int) {
	t.Helper()
	sum.add(c.fill(t, f.gateways, charged))
	sum.noOdd(t)
	f.all.add(*sum)
	if s := f.settled(t, c.name); s.used != c.limit {
		t.Errorf("at last stored: %+v; want %d used", s, c.limit)
	}
}

// each runs n clients at once, spread over the gateways.
func (f *fleet) each(n int, client func(g *gateway, i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { client(f.gateways[i%fleetSize], i) })
	}
	all.Wait()
}

// leaveRaw sends the first bytes of a request and leaves; a negative number is
// counted from its end.
func (f *fleet) leaveRaw(t *testing.T, c *caller, g *gateway, bytes int) {
	body := form{}.body(c.name, answerHeld)
	text := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		form{}.path(), c.token, len(body), body)
	if bytes < 0 {
		bytes += len(text)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Errorf("dialling: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(text[:bytes])); err != nil {
		t.Errorf("writing a part of a request: %v", err)
	}
	time.Sleep(rand.N(20 * time.Millisecond)) // so that the gateway reads it
}

// leaveUnheard waits until all such requests are at the model, and leaves
// before it has said anything.
func (f *fleet) leaveUnheard(t *testing.T, c *caller, g *gateway, i, all int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	word, as := answerHeld, form{native: i%2 == 0, stream: i%4 >= 2}
	if as.stream {
		word = think
	}
	go func() {
		for f.model.seen(c.name, answerHeld, think) < all && ctx.Err() == nil {
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(rand.N(10 * time.Millisecond))
		cancel()
	}()
	if n := c.insistAs(ctx, g.URL, word, as); n.broken != 1 {
		t.Errorf("a client that left before the answer got %s %v", &n, n.odd)
	}
}

// leaveMid reads the first content and leaves.
func (f *fleet) leaveMid(t *testing.T, c *caller, g *gateway, i int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	as := form{native: i%2 == 0, stream: true}
	res, err := c.send(ctx, g.URL, speak, as)
	for err == nil && res.StatusCode == http.StatusServiceUnavailable {
		_ = res.Body.Close()
		time.Sleep(50 * time.Millisecond)
		res, err = c.send(ctx, g.URL, speak, as)
	}
	if err != nil {
		t.Errorf("a stream: %v", err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), "four") {
			return
		}
	}
	t.Errorf("a stream of status %d ended without content", res.StatusCode)
}
