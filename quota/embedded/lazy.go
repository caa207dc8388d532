package embedded

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/openova-io/llm-gateway/quota"
)

// lazy opens its directory when it is first asked: a configuration must be
// checked while a gateway runs on the same directory.
type lazy struct {
	dir    string
	now    func() time.Time
	opened func(Opened) // told once

	mu    sync.Mutex
	store *Store
	made  time.Time
}

var _ quota.Store = (*lazy)(nil)

func newLazy(dir string, now func() time.Time, opened func(Opened)) *lazy {
	return &lazy{dir: dir, now: now, opened: opened, made: now()}
}

// open returns the store. After a failure the next call tries again: the other
// process may have ended.
func (l *lazy) open() (*Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store != nil {
		return l.store, nil
	}
	s, found, err := Open(l.dir, l.now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", quota.ErrNotAsked, err)
	}
	l.store = s
	l.opened(found)
	return s, nil
}

// Reserve opens and asks.
func (l *lazy) Reserve(ctx context.Context, req *quota.Request) (quota.Decision, error) {
	s, err := l.open()
	if err != nil {
		return quota.Decision{}, err
	}
	return s.Reserve(ctx, req)
}

// Settle opens and asks.
func (l *lazy) Settle(ctx context.Context, batch []quota.Settlement) ([]quota.Result, error) {
	s, err := l.open()
	if err != nil {
		return nil, err
	}
	return s.Settle(ctx, batch)
}

// Renew opens and asks.
func (l *lazy) Renew(ctx context.Context, batch []quota.Lease) ([]bool, error) {
	s, err := l.open()
	if err != nil {
		return nil, err
	}
	return s.Renew(ctx, batch)
}

// Read opens and asks.
func (l *lazy) Read(ctx context.Context, subject string) (quota.Record, error) {
	s, err := l.open()
	if err != nil {
		return quota.Record{}, err
	}
	return s.Read(ctx, subject)
}

// LastUse is when somebody last asked.
func (l *lazy) LastUse() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		return l.made
	}
	return l.store.LastUse()
}

// Close closes what was opened.
func (l *lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		return nil
	}
	return l.store.Close()
}
