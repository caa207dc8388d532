package quota

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// recentFor is how long a refusal is remembered: long enough to answer a
	// loop of retries without reading its bodies, short enough that nobody
	// waits for a raised limit.
	recentFor = time.Second
	// recentMost is how many subjects are remembered; the oldest make room.
	recentMost = 4096
)

// recent remembers who was refused a moment ago because a window is spent.
type recent struct {
	size atomic.Int64 // entries, so that an empty memory costs one load
	gen  atomic.Uint64

	mu      sync.Mutex
	entries map[string]remembered
	slots   [recentMost]string // who takes which slot, "" for nobody
	next    int
}

type remembered struct {
	refusal *Refusal
	at      time.Time
	until   time.Time
	slot    int
}

// generation changes with every refund. A refusal that was decided before a
// refund must not be remembered after it.
func (m *recent) generation() uint64 { return m.gen.Load() }

// remember keeps a refusal that was asked for in the given generation.
func (m *recent) remember(subject string, r *Refusal, now time.Time, gen uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gen.Load() != gen {
		return
	}
	e, known := m.entries[subject]
	if !known {
		e.slot, m.next = m.next, (m.next+1)%recentMost
		if old := m.slots[e.slot]; old != "" {
			delete(m.entries, old)
		}
		m.slots[e.slot] = subject
	}
	e.refusal, e.at, e.until = r, now, now.Add(min(recentFor, r.RetryAfter))
	if m.entries == nil {
		m.entries = make(map[string]remembered)
	}
	m.entries[subject] = e
	m.size.Store(int64(len(m.entries)))
}

// find returns the refusal of a subject as it reads now, nil if there is none.
func (m *recent) find(subject string, now time.Time) *Refusal {
	if m.size.Load() == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, known := m.entries[subject]
	if !known {
		return nil
	}
	if !now.Before(e.until) || now.Before(e.at) {
		m.drop(subject, e)
		return nil
	}
	r := *e.refusal
	r.RetryAfter -= now.Sub(e.at)
	return &r
}

// forget is called when a subject got something back.
func (m *recent) forget(subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gen.Add(1)
	if e, known := m.entries[subject]; known {
		m.drop(subject, e)
	}
}

func (m *recent) drop(subject string, e remembered) {
	delete(m.entries, subject)
	m.slots[e.slot] = ""
	m.size.Store(int64(len(m.entries)))
}
