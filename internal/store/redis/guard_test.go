package redis

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/openova-io/llm-gateway/internal/store"
)

// Who waits in vain for one of our own connections says nothing about the
// server; who waits in vain for the server does.
func TestOurOwnQueueOpensNoBreaker(t *testing.T) {
	for _, tc := range []struct {
		err  error
		open bool
	}{
		{goredis.ErrPoolTimeout, false},
		{context.Canceled, false},
		{context.DeadlineExceeded, true},
	} {
		g := guard{breaker: store.NewBreaker(time.Now)}
		for range 10 {
			g.observe(tc.err)
		}
		if g.breaker.Open() != tc.open {
			t.Errorf("after 10 times %v: open %v; want %v", tc.err, g.breaker.Open(), tc.open)
		}
	}
}
