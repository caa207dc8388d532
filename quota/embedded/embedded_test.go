package embedded_test

import (
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/embedded"
	"github.com/openova-io/llm-gateway/quota/quotatest"
)

func open(t testing.TB, dir string, now func() time.Time) *embedded.Store {
	t.Helper()
	s, _, err := embedded.Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// One process has the directory open: its two clients are the same store.
func TestContract(t *testing.T) {
	quotatest.Run(t, func(t *testing.T) (a, b quota.Store) {
		s := open(t, t.TempDir(), time.Now)
		return s, s
	})
}
