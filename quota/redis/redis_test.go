package redis_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/internal/redistest"
	conn "github.com/openova-io/llm-gateway/internal/store/redis"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/quotatest"
	"github.com/openova-io/llm-gateway/quota/redis"
)

func TestMain(m *testing.M) {
	conn.LogTo(zap.NewNop(), time.Now)
	os.Exit(m.Run())
}

// replica is a store with the writer that checks of control fields need.
type replica struct {
	*redis.Store
	raw *conn.Client
}

func (r replica) Control(ctx context.Context, subject, field, value string) error {
	return r.raw.HSet(ctx, "llmgw:q1:{"+subject+"}", field, value).Err()
}

// connect opens one replica's client. The timeout is generous: this is not a
// test of this machine's speed.
func connect(t testing.TB, url string) replica {
	t.Helper()
	c, err := conn.Open(conn.Options{URL: url, Timeout: 5 * time.Second}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return replica{Store: redis.New(c, time.Now), raw: c}
}

func TestContract(t *testing.T) {
	s := redistest.Start(t)
	quotatest.Run(t, func(t *testing.T) (a, b quota.Store) {
		return connect(t, s.URL), connect(t, s.URL)
	})
}
