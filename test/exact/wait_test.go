//go:build exact

package exact

import "fmt"

// The functions of this file are what tests wait for with [harness.Poll].

// arrived is nil once n requests of a person are held by the model.
func arrived(u *upstream, person string, n int) func() error {
	return func() error { return atLeast(u.seen(person, answerHeld, think, speak), n) }
}

func atLeast(got, want int) error {
	if got < want {
		return fmt.Errorf("%d so far, want %d", got, want)
	}
	return nil
}

func atMost(got, want int) error {
	if got > want {
		return fmt.Errorf("%d still, want %d", got, want)
	}
	return nil
}

func unreserved(r report) error {
	if r.reserved() != 0 || r.InFlight.Used != 0 {
		return fmt.Errorf("%d reserved, %d in flight", r.reserved(), r.InFlight.Used)
	}
	return nil
}
