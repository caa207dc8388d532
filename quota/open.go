package quota

import (
	"sync"
	"sync/atomic"
	"time"
)

// openShards keeps those that begin and end requests out of each other's way.
const openShards = 16

// openSet is the reservations that run: those whose leases must be prolonged.
type openSet struct {
	count  atomic.Int64
	next   atomic.Uint32
	shards [openShards]openShard
}

// openShard is a list through the reservations themselves.
type openShard struct {
	mu   sync.Mutex
	head *Reservation
	_    [48]byte // one cache line each
}

func (s *openSet) add(r *Reservation) {
	r.shard = s.next.Add(1) % openShards
	sh := &s.shards[r.shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r.newer, r.older = nil, sh.head
	if sh.head != nil {
		sh.head.newer = r
	}
	sh.head = r
	s.count.Add(1)
}

func (s *openSet) remove(r *Reservation) {
	sh := &s.shards[r.shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r.newer == nil {
		sh.head = r.older
	} else {
		r.newer.older = r.older
	}
	if r.older != nil {
		r.older.newer = r.newer
	}
	r.newer, r.older = nil, nil
	s.count.Add(-1)
}

// startedBefore appends the reservations that began before t and whose leases
// have not run out.
func (s *openSet) startedBefore(dst []*Reservation, t time.Time) []*Reservation {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for r := sh.head; r != nil; r = r.older {
			if r.since.Before(t) && !r.lapsed.Load() {
				dst = append(dst, r)
			}
		}
		sh.mu.Unlock()
	}
	return dst
}
