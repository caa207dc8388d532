package vllmsim

import "context"

// scheduler lets a fixed number of answers run; the others wait in the order of
// their arrival.
type scheduler struct {
	seats   chan struct{}
	limit   int // running and waiting together; 0 is none
	metrics *metrics
}

func newScheduler(seats, limit int, m *metrics) *scheduler {
	return &scheduler{seats: make(chan struct{}, seats), limit: limit, metrics: m}
}

// admit lets a request wait, or refuses it because the queue is full. Every
// admitted request calls leave.
func (s *scheduler) admit() bool { return s.metrics.admit(s.limit) }

// start waits for a seat. It returns false when the client left first.
func (s *scheduler) start(ctx context.Context) bool {
	select {
	case s.seats <- struct{}{}:
		s.metrics.started()
		return true
	case <-ctx.Done():
		return false
	}
}

// leave gives everything back that the request holds; whole says that its
// answer came to its end.
func (s *scheduler) leave(started, whole bool) {
	s.metrics.left(started, whole)
	if started {
		<-s.seats
	}
}
