//go:build exact

package exact

import (
	"testing"
	"time"
)

// caps asks for more refunds than a limit of 10 allows: 20 for failures of the
// model, 3 for leaving. Beyond them every attempt is charged, and no text says
// otherwise.
func (f *fleet) caps(t *testing.T) {
	t.Run("failures", f.failureCap)
	t.Run("leaving", f.leavingCap)
}

func (f *fleet) failureCap(t *testing.T) {
	const person, limit, mostBack = "unlucky", 10, 20
	c := newCaller(t, person, f.users.Token[person], limit)
	sum := f.breakOffs(t, c, 60)
	if sum.failed < mostBack+limit { // a refund that took long made a refusal that is remembered
		time.Sleep(recentRefusal)
		sum.add(f.breakOffs(t, c, 60))
	}
	sum.noOdd(t)
	f.all.add(sum)
	if sum.failed != mostBack+limit || sum.failed+sum.refused+sum.unavailable != sum.total() {
		t.Errorf("%s; want %d failed and the rest refused", &sum, mostBack+limit)
	}
	s := f.settled(t, person)
	if s.used != limit || s.lines("DONE f") != mostBack || s.lines("KEPT f") != limit {
		t.Errorf("stored: %+v; want %d used, %d DONE f, %d KEPT f", s, limit, mostBack, limit)
	}
	if sum.uncounted == 0 || sum.uncounted > mostBack {
		t.Errorf("%d callers were told that nothing was counted; want some, at most the %d refunds", sum.uncounted, mostBack)
	}
}

// breakOffs asks for streams that break off, four at once.
func (f *fleet) breakOffs(t *testing.T, c *caller, total int) tally {
	t.Helper()
	return together(fleetSize, func(i int) (n tally) {
		for turn := range total / fleetSize {
			n.add(c.insistAs(t.Context(), f.gateways[i].URL, breakOff, form{native: turn%2 == 0, stream: true}))
		}
		return n
	})
}

func (f *fleet) leavingCap(t *testing.T) {
	const person, leavers, mostBack = "goer", 8, 3
	c := newCaller(t, person, f.users.Token[person], 10)
	for i := range leavers {
		f.leaveUnheard(t, c, f.gateways[i%fleetSize], i, i+1)
		f.settled(t, person)
	}
	s := f.stored(t, person)
	if s.used != leavers-mostBack || s.lines("DONE c") != mostBack || s.lines("KEPT c") != leavers-mostBack {
		t.Errorf("stored: %+v; want %d used, %d DONE c, %d KEPT c", s, leavers-mostBack, mostBack, leavers-mostBack)
	}
	var sum tally
	f.finish(t, c, &sum, s.used)
}
