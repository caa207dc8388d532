package quotatest_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/internal/redistest"
	conn "github.com/openova-io/llm-gateway/internal/store/redis"
	"github.com/openova-io/llm-gateway/quota/embedded"
	"github.com/openova-io/llm-gateway/quota/quotatest"
	"github.com/openova-io/llm-gateway/quota/redis"
)

// TestStoresAgree walks 20,000 steps, or as many as QUOTA_WALK says, from a
// seed that QUOTA_SEED repeats.
func TestStoresAgree(t *testing.T) {
	steps, seed := 20_000, uint64(time.Now().UnixNano())
	if s := os.Getenv("QUOTA_WALK"); s != "" {
		steps, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("QUOTA_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	conn.LogTo(zap.NewNop(), time.Now)
	client, err := conn.Open(conn.Options{URL: redistest.Start(t).URL, Timeout: 5 * time.Second}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	local, _, err := embedded.Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	quotatest.RandomWalk(t, redis.New(client, time.Now), local, seed, steps)
}
