//go:build attack

package attack

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/test/harness"
)

// watch is the state of everything that a refused request must leave alone.
type watch struct {
	w     *world
	calls map[string]int
	store map[string]map[string]string
}

// watch notes the state before an attempt.
func (w *world) watch(t *testing.T) *watch {
	t.Helper()
	w.settled(t)
	return &watch{w: w, calls: w.callCounts(), store: w.dump(t)}
}

// nothing fails the test unless the attempt left no trace.
func (b *watch) nothing(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(b.calls, b.w.callCounts()); diff != "" {
		t.Errorf("upstream calls (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(b.store, b.w.dump(t)); diff != "" {
		t.Errorf("quota (-before +after):\n%s", diff)
	}
}

func (w *world) callCounts() map[string]int {
	return map[string]int{"internal": len(w.internal.calls()), "claude": len(w.claude.calls()), "openai": len(w.openai.calls())}
}

// dump reads every counter of the store.
func (w *world) dump(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := make(map[string]map[string]string)
	keys, err := w.db.Keys(t.Context(), "llmgw:q1:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if all[key], err = w.db.HGetAll(t.Context(), key).Result(); err != nil {
			t.Fatal(err)
		}
	}
	other, err := w.db.DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	all["size"] = map[string]string{"keys": strconv.FormatInt(other, 10)}
	return all
}

// settled waits until no charge is open: they are settled off the request's
// path.
func (w *world) settled(t *testing.T) {
	t.Helper()
	harness.Poll(t, 10*time.Second, "open charges", func() error {
		for key, fields := range w.dump(t) {
			for field := range fields {
				if strings.HasPrefix(field, "r:") && !strings.HasPrefix(fields[field], "X") {
					return fmt.Errorf("%s holds %s %s", key, field, fields[field])
				}
			}
		}
		return nil
	})
}

// charged returns how many requests of the day the subject has used, once all
// are settled.
func (w *world) charged(t *testing.T, subject string) int {
	t.Helper()
	w.settled(t)
	key := "llmgw:q1:{" + subject + "}"
	window, err := w.db.HGet(t.Context(), key, "w:day/requests").Result()
	if err != nil {
		if n, _ := w.db.Exists(t.Context(), key).Result(); n > 0 {
			t.Errorf("%s has no window of a day: %v", key, w.dump(t)[key])
		}
		return 0
	}
	used, _, _ := strings.Cut(window, " ")
	n, err := strconv.Atoi(used)
	if err != nil {
		t.Fatalf("%s: window %q", key, window)
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
