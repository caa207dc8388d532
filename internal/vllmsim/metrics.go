package vllmsim

import (
	"sync"
	"time"
)

// Stats are the counters of a [Server] that tests ask for.
type Stats struct {
	Running  int // answers being generated
	Waiting  int // requests in the queue
	Finished int // answers that came to their end
	Aborted  int // answers that ended early: the client left or a fault was scripted
	Rejected int // requests that the queue limit refused
	Tokens   int // tokens generated
}

// Bounds of the histogram of the time to the first token, in seconds; the other
// histograms share them.
var latencyBounds = []float64{
	0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
}

type histogram struct {
	counts []int // per bound, not cumulative
	count  int
	sum    float64
}

func (h *histogram) observe(d time.Duration) {
	if h.counts == nil {
		h.counts = make([]int, len(latencyBounds))
	}
	s := d.Seconds()
	for i, bound := range latencyBounds {
		if s <= bound {
			h.counts[i]++
			break
		}
	}
	h.count++
	h.sum += s
}

type requestKey struct{ handler, method, status string }

// metrics are the numbers behind /metrics, /load and [Server.Stats].
type metrics struct {
	mu           sync.Mutex
	stats        Stats
	promptTokens int
	cachedTokens int
	success      map[Finish]int
	requests     map[requestKey]int

	firstToken, interToken, endToEnd, queued histogram
}

func newMetrics() *metrics {
	return &metrics{success: map[Finish]int{}, requests: map[requestKey]int{}}
}

// Stats reports what the server has done so far.
func (s *Server) Stats() Stats {
	s.metrics.mu.Lock()
	defer s.metrics.mu.Unlock()
	return s.metrics.stats
}

func (m *metrics) admit(limit int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if limit > 0 && m.stats.Running+m.stats.Waiting >= limit {
		m.stats.Rejected++
		return false
	}
	m.stats.Waiting++
	return true
}

func (m *metrics) started() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Waiting--
	m.stats.Running++
}

func (m *metrics) left(started, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !started:
		m.stats.Waiting--
		return
	case whole:
		m.stats.Finished++
	default:
		m.stats.Aborted++
	}
	m.stats.Running--
}

func (m *metrics) request(handler, method string, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[requestKey{handler, method, string(rune('0'+status/100)) + "xx"}]++
}

// stopwatch feeds the histograms of one request.
type stopwatch struct {
	now           func() time.Time
	arrived, last time.Time
	metrics       *metrics
	generated     map[int]int // by answer
}

func (w *stopwatch) begin(promptTokens int) {
	w.generated = map[int]int{}
	w.metrics.mu.Lock()
	defer w.metrics.mu.Unlock()
	w.metrics.promptTokens += promptTokens
	w.metrics.queued.observe(w.now().Sub(w.arrived))
}

func (w *stopwatch) token(st step) {
	now := w.now()
	w.metrics.mu.Lock()
	defer w.metrics.mu.Unlock()
	if w.last.IsZero() {
		w.metrics.firstToken.observe(now.Sub(w.arrived))
		w.metrics.cachedTokens += st.cached
	} else {
		w.metrics.interToken.observe(now.Sub(w.last))
	}
	w.last = now
	w.metrics.stats.Tokens += st.completion - w.generated[st.index]
	w.generated[st.index] = st.completion
	if st.finish == "" {
		return
	}
	// The engine does not know tool calls: to it they are stops.
	if st.finish == FinishToolCalls {
		st.finish = FinishStop
	}
	w.metrics.success[st.finish]++
}

func (w *stopwatch) end() {
	w.metrics.mu.Lock()
	defer w.metrics.mu.Unlock()
	w.metrics.endToEnd.observe(w.now().Sub(w.arrived))
}
