package store_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/llm-gateway/internal/store"
)

// conn is a store that knows when it was used and whether it was closed.
type conn struct {
	used   atomic.Int64 // Unix ms
	closed atomic.Bool
}

func (c *conn) LastUse() time.Time { return time.UnixMilli(c.used.Load()) }
func (c *conn) Close() error       { c.closed.Store(true); return nil }
func (c *conn) use()               { c.used.Store(time.Now().UnixMilli()) }

func open() (*conn, error) {
	c := new(conn)
	c.use()
	return c, nil
}

func TestPoolSharesByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := store.NewPool[*conn](time.Minute, time.Now)
		a, loaded, _ := p.Acquire("k", open)
		if loaded {
			t.Error("the first Acquire found a store")
		}
		b, loaded, _ := p.Acquire("k", open)
		if !loaded || a != b {
			t.Error("the second Acquire of a key got another store")
		}
		p.Release("k")
		time.Sleep(time.Hour)
		if a.closed.Load() {
			t.Error("closed while a configuration holds it")
		}
		p.Release("k")
		time.Sleep(time.Hour)
		if !a.closed.Load() {
			t.Error("still open an hour after the last configuration left")
		}
	})
}

func TestPoolKeepsStoreThatOldRequestsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := store.NewPool[*conn](time.Minute, time.Now)
		c, _, _ := p.Acquire("k", open)
		p.Release("k")
		for range 10 {
			time.Sleep(20 * time.Second)
			c.use() // a stream renews its lease
		}
		if c.closed.Load() {
			t.Fatal("closed under a running stream")
		}
		time.Sleep(time.Minute + time.Second)
		if !c.closed.Load() {
			t.Error("open after a quiet minute")
		}
	})
}

func TestPoolTakesUpDrainingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := store.NewPool[*conn](time.Minute, time.Now)
		a, _, _ := p.Acquire("k", open)
		p.Release("k")
		time.Sleep(30 * time.Second)
		b, loaded, _ := p.Acquire("k", open)
		if !loaded || a != b {
			t.Fatal("a second store was opened beside one that drains")
		}
		time.Sleep(time.Hour)
		if a.closed.Load() {
			t.Error("the old timer closed a store in use")
		}
		p.Release("k")
		p.Release("k") // one too many: must not disturb the next holder
		_, _, _ = p.Acquire("k", open)
		time.Sleep(time.Hour)
		if a.closed.Load() {
			t.Error("closed while held after an extra Release")
		}
		p.Release("k")
		time.Sleep(time.Hour)
	})
}

func TestPoolKeepsNothingThatFailed(t *testing.T) {
	p := store.NewPool[*conn](time.Minute, time.Now)
	failed := errors.New("no file")
	if _, _, err := p.Acquire("k", func() (*conn, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Fatalf("Acquire = %v; want %v", err, failed)
	}
	if _, loaded, err := p.Acquire("k", open); loaded || err != nil {
		t.Errorf("after a failure: loaded %v, %v; want a new store", loaded, err)
	}
	p.Release("k")
}
