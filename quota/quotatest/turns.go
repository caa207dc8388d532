package quotatest

import (
	"math/rand/v2"
	"testing"

	"github.com/openova-io/llm-gateway/quota"
)

// turns is a window of turns of k calls; open says that this call opens one.
func turns(limit, k int64, open bool) quota.Window {
	w := quota.Window{Name: "day/turns", Kind: quota.Calendar, Limit: limit, Amount: 1, From: 1, To: never, Credit: -k}
	if open {
		w.Credit = k
	}
	return w
}

// call makes one call and returns it with the turns used after it.
func call(t *testing.T, s quota.Store, subject string, w quota.Window) (*quota.Request, int64) {
	t.Helper()
	r := request(subject, w)
	return r, want(t, s, r, quota.OK).Windows[0].Used
}

func turnCredit(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	const k = 2
	for i, step := range []struct {
		open bool
		used int64
	}{{true, 1}, {false, 1}, {false, 1}, {false, 2}, {false, 2}, {false, 3}, {true, 4}, {false, 4}, {true, 5}, {false, 5}, {false, 5}, {false, 6}} {
		_, got := call(t, []quota.Store{a, b}[i%2], subject, turns(10, k, step.open))
		equal(t, "turns used", got, step.used)
	}
}

func turnCeiling(t *testing.T, a, b quota.Store) {
	const limit, k = 2, 3
	for _, claims := range [][]bool{{true}, {false}, {true, false}, {false, false, true}} {
		subject := newSubject()
		calls := 0
		for i := 0; i < 3*limit*(k+1); i++ {
			d := reserve(t, []quota.Store{a, b}[i%2], request(subject, turns(limit, k, claims[i%len(claims)])))
			if d.Status == quota.OK {
				calls++
			}
		}
		if calls > limit*(k+1) {
			t.Errorf("claims %v: %d calls; want ≤ %d", claims, calls, limit*(k+1))
		}
	}
}

func failedTurn(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	turn, _ := call(t, a, subject, turns(10, 3, true))
	equal(t, "Settle", settle(t, b, turn, quota.GiveBack), quota.Done)
	equal(t, "used", used(t, a, subject, "day/turns"), 0)
	_, n := call(t, a, subject, turns(10, 3, false))
	equal(t, "used: the credit went back with the turn", n, 1)
}

func riddenTurn(t *testing.T, a, b quota.Store) {
	for _, mode := range []quota.Mode{quota.GiveBack, quota.Abandon, quota.Void} {
		subject := newSubject()
		turn, _ := call(t, a, subject, turns(10, 3, true))
		step, _ := call(t, b, subject, turns(10, 3, false))
		settle(t, b, step, quota.Charge)
		equal(t, "Settle", settle(t, b, turn, mode), quota.Kept)
		equal(t, "used", used(t, a, subject, "day/turns"), 1)
	}
}

func failedStep(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	turn, _ := call(t, a, subject, turns(10, 1, true))
	for range 5 { // a client repeats a step that fails upstream
		step, n := call(t, a, subject, turns(10, 1, false))
		equal(t, "used", n, 1)
		equal(t, "Settle", settle(t, b, step, quota.GiveBack), quota.Done)
	}
	equal(t, "the turn failed too", settle(t, b, turn, quota.GiveBack), quota.Done)
	equal(t, "used", used(t, a, subject, "day/turns"), 0)
}

func paidStepFails(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	step, n := call(t, a, subject, turns(10, 3, false))
	equal(t, "used", n, 1)
	equal(t, "Settle", settle(t, b, step, quota.GiveBack), quota.Done)
	equal(t, "used", used(t, a, subject, "day/turns"), 0)
	_, n = call(t, b, subject, turns(10, 3, false))
	equal(t, "used: no credit was left behind", n, 1)
}

func riddenTurnLease(t *testing.T, a, b quota.Store) {
	subject := newSubject()
	turn := leased(subject, turns(10, 3, true))
	want(t, a, turn, quota.OK)
	step, n := call(t, a, subject, turns(10, 3, false))
	equal(t, "used", n, 1)
	eventually(t, "the lease ends", func() bool { return read(t, b, subject).InFlight == 1 })
	equal(t, "used as read", used(t, b, subject, "day/turns"), 1)
	_, n = call(t, b, subject, turns(10, 3, false))
	equal(t, "used after the sweep", n, 1)
	settle(t, a, step, quota.Charge)
	equal(t, "late settle", settle(t, a, turn, quota.Charge), quota.Late)
	equal(t, "used", used(t, b, subject, "day/turns"), 1)
}

// turnsConserve tries random orders of turns, steps and failures: successful
// steps may never outnumber the credits that charged units stand for.
func turnsConserve(t *testing.T, a, b quota.Store) {
	const k, limit = 3, 1000
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		subject := newSubject()
		var running []*quota.Request
		answered := int64(0) // calls that were kept
		end := func(i int, mode quota.Mode) {
			res := settle(t, b, running[i], mode)
			if mode == quota.Charge || res == quota.Kept {
				answered++
			}
			running = append(running[:i], running[i+1:]...)
		}
		for range 150 {
			if len(running) == 0 || rng.IntN(2) == 0 {
				r, _ := call(t, a, subject, turns(limit, k, rng.IntN(3) == 0))
				running = append(running, r)
				continue
			}
			end(rng.IntN(len(running)), []quota.Mode{quota.Charge, quota.GiveBack, quota.GiveBack}[rng.IntN(3)])
		}
		for len(running) > 0 {
			end(0, quota.GiveBack)
		}
		if n := used(t, a, subject, "day/turns"); answered > n*(k+1) {
			t.Errorf("seed %d: %d calls were answered for %d units; want ≤ %d", seed, answered, n, n*(k+1))
		}
	}
}
