package llmgateway

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// userSeries is gateway_quota_used{user}: what the most recent people used of
// their first window. It is bounded, so that a company's whole directory never
// becomes label values: beyond the bound the least recent person is summed
// into user="other", and a person whose window has ended is dropped.
type userSeries struct {
	desc *prometheus.Desc
	now  func() time.Time

	mu     sync.Mutex
	bound  int
	people map[string]*userUse // by label value
	newest *userUse            // a ring of all people: newest.next is the oldest

	// other is what people beyond the bound had used when they were summed. One
	// who comes back stands in both, so it is an upper bound.
	other     int64
	otherEnds time.Time
}

type userUse struct {
	label      string
	used       int64
	ends       time.Time
	prev, next *userUse
}

// otherUsers labels the sum of people without a series of their own.
const otherUsers = "other"

// defaultUserSeries is the bound where the configuration says nothing.
const defaultUserSeries = 1000

func newUserSeries() *userSeries {
	return &userSeries{
		desc:   prometheus.NewDesc("gateway_quota_used", "Units used in the first window of the most recent people; the rest is summed as other. Replicas share the store: use max by (user).", []string{"user"}, nil),
		now:    time.Now,
		bound:  defaultUserSeries,
		people: make(map[string]*userUse),
	}
}

// setBound changes how many people have a series of their own.
func (s *userSeries) setBound(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound = n
	for len(s.people) > n {
		s.sumLocked(s.newest.next)
	}
}

// observe records what a person has used of the window that ends at ends.
func (s *userSeries) observe(label string, used int64, ends time.Time) {
	if label == otherUsers {
		label = "_" + label // a person of that name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound <= 0 {
		return
	}
	u := s.people[label]
	switch {
	case u != nil:
		s.unlinkLocked(u)
	case len(s.people) >= s.bound:
		s.sumLocked(s.newest.next)
		fallthrough
	default:
		u = &userUse{label: label}
		s.people[label] = u
	}
	u.used, u.ends = used, ends
	s.linkLocked(u)
}

func (s *userSeries) linkLocked(u *userUse) {
	if s.newest == nil {
		u.prev, u.next = u, u
	} else {
		u.prev, u.next = s.newest, s.newest.next
		u.prev.next, u.next.prev = u, u
	}
	s.newest = u
}

func (s *userSeries) unlinkLocked(u *userUse) {
	if u.next == u {
		s.newest = nil
		return
	}
	u.prev.next, u.next.prev = u.next, u.prev
	if s.newest == u {
		s.newest = u.prev
	}
}

// sumLocked moves a person's use into other.
func (s *userSeries) sumLocked(u *userUse) {
	s.removeLocked(u)
	now := s.now()
	if !s.otherEnds.After(now) {
		s.other, s.otherEnds = 0, u.ends
	}
	if u.ends.After(now) {
		s.other += u.used
	}
}

func (s *userSeries) removeLocked(u *userUse) {
	s.unlinkLocked(u)
	delete(s.people, u.label)
}

// Describe implements prometheus.Collector.
func (s *userSeries) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

// Collect implements prometheus.Collector.
func (s *userSeries) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for label, u := range s.people {
		if !u.ends.After(now) {
			s.removeLocked(u)
			continue
		}
		ch <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, float64(u.used), label)
	}
	if s.other > 0 && s.otherEnds.After(now) {
		ch <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, float64(s.other), otherUsers)
	}
}
