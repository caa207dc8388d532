//go:build exact

package exact

import "testing"

// clients is how many run at once in a race.
const clients = 200

// race lets 200 clients at four gateways ask for more than the limit: exactly
// the limit is admitted, and the rest is told so.
func (f *fleet) race(t *testing.T, person string, limit, total int) {
	c := newCaller(t, person, f.users.Token[person], limit)
	n := c.burst(t, f.gateways, clients, total)
	atOnce := n.answered
	n.add(c.late(t, f.gateways, 0, &n))
	f.all.add(n)
	n.noOdd(t)
	s := f.settled(t, person)
	if n.answered != limit || n.answered+n.refused+n.unavailable != n.total() {
		t.Errorf("%s (at once %d); want %d answered and the rest refused", &n, atOnce, limit)
	}
	if s.used != limit {
		t.Errorf("stored: %d used; want %d", s.used, limit)
	}
	if got := f.model.seen(person, answerNow); got != limit {
		t.Errorf("the model saw %d requests; want %d", got, limit)
	}
	if r := f.report(t, person); r.used() != limit || r.reserved() != 0 || r.Windows[0].Remaining != 0 || r.InFlight.Used != 0 {
		t.Errorf("GET /quota says %+v; want %d used and nothing else", r, limit)
	}
	if limit <= 100 && (s.lines("DONE s") != limit || s.charged() != limit) {
		t.Errorf("the ledger holds %v; want %d times DONE s", s.ledger, limit)
	}
}
