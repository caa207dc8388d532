// Package embedded keeps quota counters in one process and on its disk, for
// one gateway without a server beside it.
//
// It decides as the scripts of quota/redis do and survives kill -9 exactly:
// every change is in the journal before its decision is returned. After a
// power cut up to a second of changes may be missing. It knows nothing of
// other replicas: a second process is refused.
package embedded

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	journal "github.com/openova-io/llm-gateway/internal/store/embedded"
	"github.com/openova-io/llm-gateway/quota"
)

const (
	shards = 64

	// ledgerLines is how many lines of a subject's ledger are kept at least;
	// they are held in memory.
	ledgerLines = 50

	// idlePause is how often records that nobody needs are looked for.
	idlePause = time.Minute
)

// Store keeps counters in memory and in a journal. It implements
// [quota.Store].
type Store struct {
	now     func() time.Time
	journal *journal.Journal
	seed    maphash.Seed
	shards  [shards]shard
	used    atomic.Int64 // Unix ms
	closing sync.Once
	stop    chan struct{}
	done    sync.WaitGroup
}

// shard is a part of the subjects under one lock.
type shard struct {
	mu      sync.Mutex
	records map[string]*record
	buf     []byte
}

var _ quota.Store = (*Store)(nil)

// Opened says what Open found in the directory.
type Opened = journal.Opened

// Open loads the counters of the directory, which is made if it is missing.
// The store takes the time from now.
func Open(dir string, now func() time.Time) (*Store, Opened, error) {
	s := &Store{now: now, seed: maphash.MakeSeed(), stop: make(chan struct{})}
	for i := range s.shards {
		s.shards[i].records = make(map[string]*record)
	}
	j, found, err := journal.Open(dir, (*source)(s))
	if err != nil {
		return nil, found, err
	}
	s.journal = j
	s.dropDead()
	s.touch()
	s.done.Go(s.background)
	return s, found, nil
}

// Close writes everything to disk and lets go of the directory.
func (s *Store) Close() error {
	s.closing.Do(func() { close(s.stop) })
	s.done.Wait()
	return s.journal.Close()
}

// LastUse is when somebody last asked.
func (s *Store) LastUse() time.Time { return time.UnixMilli(s.used.Load()) }

func (s *Store) touch() int64 {
	now := s.now().UnixMilli()
	s.used.Store(now)
	return now
}

// Reserve decides, writes the change down and takes.
func (s *Store) Reserve(_ context.Context, req *quota.Request) (quota.Decision, error) {
	if err := req.Check(); err != nil {
		return quota.Decision{}, err
	}
	sh, r := s.lock(req.Subject)
	defer sh.mu.Unlock()
	now := s.touch() // under the lock: decisions of a subject stand in the order of their times
	if status, barred := r.barred(req, now); barred {
		return quota.Decision{Status: status, Now: now}, nil
	}
	if r.due(now) {
		c := sweep(r, now)
		if err := s.commit(sh, req.Subject, r, &c); err != nil {
			return quota.Decision{}, fmt.Errorf("reserve: %w", err)
		}
		r.swept()
	}
	d, c := decide(r, req, now)
	if err := s.commit(sh, req.Subject, r, &c); err != nil {
		return quota.Decision{}, fmt.Errorf("reserve: %w", err)
	}
	return d, nil
}

// Settle ends the batch's reservations one by one.
func (s *Store) Settle(_ context.Context, batch []quota.Settlement) ([]quota.Result, error) {
	results := make([]quota.Result, len(batch))
	for i := range batch {
		st := &batch[i]
		err := s.with(st.Subject, func(r *record, now int64) (c change) {
			results[i], c = settle(r, st, now)
			c.keep = ledgerLines
			return c
		})
		if err != nil {
			return nil, fmt.Errorf("settle: %w", err)
		}
	}
	return results, nil
}

// Renew prolongs leases one by one.
func (s *Store) Renew(_ context.Context, batch []quota.Lease) ([]bool, error) {
	alive := make([]bool, len(batch))
	for i := range batch {
		err := s.with(batch[i].Subject, func(r *record, now int64) (c change) {
			alive[i], c = renew(r, &batch[i], now)
			return c
		})
		if err != nil {
			return nil, fmt.Errorf("renew: %w", err)
		}
	}
	return alive, nil
}

// Read returns a subject's record as it would stand after a reservation now.
func (s *Store) Read(_ context.Context, subject string) (quota.Record, error) {
	sh := s.shard(subject)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.touch()
	r, ok := sh.records[subject]
	if !ok {
		r = newRecord()
	}
	out := read(r, now)
	if n := len(r.ledger); r.lastLine()+ledgerLife > now {
		for i := n - 1; i >= max(0, n-ledgerLines); i-- {
			out.Ledger = append(out.Ledger, fmt.Sprintf("%d %s", r.ledger[i].at, r.ledger[i].text))
		}
	}
	return out, nil
}

// with decides about one record under its lock and keeps the change.
func (s *Store) with(subject string, decide func(r *record, now int64) change) error {
	sh, r := s.lock(subject)
	defer sh.mu.Unlock()
	c := decide(r, s.touch())
	return s.commit(sh, subject, r, &c)
}

// commit writes the change down, then makes it true. The caller holds the
// shard's lock.
func (s *Store) commit(sh *shard, subject string, r *record, c *change) error {
	if c.empty() {
		return nil
	}
	sh.buf = encode(sh.buf[:0], subject, c)
	if err := s.journal.Append(sh.buf); err != nil {
		return fmt.Errorf("%w: %w", quota.ErrUnavailable, err)
	}
	r.apply(c)
	sh.records[subject] = r
	return nil
}

// lock returns the subject's record, a new one if it is unknown, and its shard
// locked.
func (s *Store) lock(subject string) (*shard, *record) {
	sh := s.shard(subject)
	sh.mu.Lock()
	r, ok := sh.records[subject]
	if !ok {
		r = newRecord()
	}
	return sh, r
}

func (s *Store) shard(subject string) *shard {
	return &s.shards[maphash.String(s.seed, subject)%shards]
}

// background forgets idle subjects.
func (s *Store) background() {
	tick := time.NewTicker(idlePause)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.dropDead()
		}
	}
}

// dropDead forgets records that cannot matter any more. The journal forgets
// them with its next snapshot: replayed before that, they are dead again.
func (s *Store) dropDead() {
	now := s.now().UnixMilli()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for subject, r := range sh.records {
			if r.dead(now) {
				delete(sh.records, subject)
			}
		}
		sh.mu.Unlock()
	}
}
