package llmgateway

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

const quotaUsedHelp = "# HELP gateway_quota_used Units used in the first window of the most recent people; the rest is summed as other. Replicas share the store: use max by (user).\n# TYPE gateway_quota_used gauge\n"

func newTestSeries(bound int) (*userSeries, *time.Time) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := newUserSeries()
	s.now = func() time.Time { return now }
	s.setBound(bound)
	return s, &now
}

func wantSeries(t *testing.T, s *userSeries, lines ...string) {
	t.Helper()
	want := quotaUsedHelp + strings.Join(lines, "\n") + "\n"
	if len(lines) == 0 {
		want = ""
	}
	if err := testutil.CollectAndCompare(s, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestUserSeriesKeepsTheMostRecent(t *testing.T) {
	s, now := newTestSeries(2)
	ends := now.Add(time.Hour)
	s.observe("alice", 3, ends)
	s.observe("bob", 5, ends)
	s.observe("alice", 4, ends) // bob is now the least recent
	s.observe("carol", 1, ends)
	wantSeries(t, s, `gateway_quota_used{user="alice"} 4`, `gateway_quota_used{user="carol"} 1`, `gateway_quota_used{user="other"} 5`)
}

func TestUserSeriesEndsWithTheWindow(t *testing.T) {
	s, now := newTestSeries(1)
	s.observe("alice", 3, now.Add(time.Hour))
	s.observe("bob", 5, now.Add(time.Hour))
	*now = now.Add(time.Hour)
	wantSeries(t, s)
	s.observe("carol", 1, now.Add(time.Hour))
	wantSeries(t, s, `gateway_quota_used{user="carol"} 1`)
}

func TestUserSeriesOff(t *testing.T) {
	s, now := newTestSeries(0)
	s.observe("alice", 3, now.Add(time.Hour))
	wantSeries(t, s)
}

func TestUserSeriesIsBounded(t *testing.T) {
	s, now := newTestSeries(100)
	for i := range 10_000 {
		s.observe(time.Duration(i).String(), 1, now.Add(time.Hour))
	}
	if n := testutil.CollectAndCount(s); n != 101 {
		t.Errorf("10,000 people make %d series, want 100 and other", n)
	}
}
