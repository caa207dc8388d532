//go:build attack

package attack

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/openova-io/llm-gateway/test/harness"
)

// watch is the state of everything that a refused request must leave alone.
type watch struct {
	w     *world
	calls map[string]int
	store string
}

// watch notes the state before an attempt.
func (w *world) watch(t *testing.T) *watch {
	t.Helper()
	w.settled(t, "llmgw:q1:*")
	return &watch{w: w, calls: w.callCounts(), store: w.digest(t)}
}

// nothing fails the test unless the attempt left no trace.
func (b *watch) nothing(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(b.calls, b.w.callCounts()); diff != "" {
		t.Errorf("upstream calls (-before +after):\n%s", diff)
	}
	if after := b.w.digest(t); after != b.store {
		t.Error("the counters in the store have changed")
	}
}

func (w *world) callCounts() map[string]int {
	return map[string]int{"internal": len(w.internal.calls()), "claude": len(w.claude.calls()), "openai": len(w.openai.calls())}
}

// digest is a checksum of everything in the store.
func (w *world) digest(t *testing.T) string {
	t.Helper()
	sum, err := w.db.Do(t.Context(), "debug", "digest").Text()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// countOpen adds up the charges in flight of the subjects of a pattern.
var countOpen = goredis.NewScript(`local n = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do n = n + (tonumber(redis.call('HGET', key, 'n')) or 0) end
return n`)

// settled waits until no charge is open: they are settled off the request's
// path.
func (w *world) settled(t *testing.T, pattern string) {
	t.Helper()
	harness.Poll(t, 10*time.Second, "open charges", func() error {
		n, err := countOpen.Run(t.Context(), w.db, nil, pattern).Int()
		if err == nil && n > 0 {
			err = fmt.Errorf("%d are in flight", n)
		}
		return err
	})
}

// charged returns how many requests of the day the subject has used, once all
// are settled.
func (w *world) charged(t *testing.T, subject string) int {
	t.Helper()
	key := "llmgw:q1:{" + subject + "}"
	w.settled(t, key)
	window, err := w.db.HGet(t.Context(), key, "w:day/requests").Result()
	if errors.Is(err, goredis.Nil) {
		if n, _ := w.db.Exists(t.Context(), key).Result(); n > 0 {
			t.Errorf("%s has no window of a day", key)
		}
		return 0
	}
	used, _, _ := strings.Cut(window, " ")
	n, convErr := strconv.Atoi(used)
	if err != nil || convErr != nil {
		t.Fatalf("%s: window %q, %v", key, window, err)
	}
	return n
}

// wantCharge fails the test unless the subject was charged so often.
func (w *world) wantCharge(t *testing.T, subject string, want int) {
	t.Helper()
	if got := w.charged(t, subject); got != want {
		t.Errorf("charged %d, want %d", got, want)
	}
}
