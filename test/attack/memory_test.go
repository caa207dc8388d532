//go:build attack

package attack

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	bodyBudget = 256 << 20 // the default of body_budget
	// overhead is what may become resident beside a budget that is used up: the
	// collector lets as much garbage stand as is in use.
	overhead = bodyBudget
)

// bodiesAtOnce sends 200 bodies of 30 MB at once, of one free user and of
// fifty: what is resident stays inside the budget. While one user does it,
// others are served; fifty may use up the budget of all.
func (w *world) bodiesAtOnce(t *testing.T) {
	body := fmt.Appendf(nil, `{"model":"claude-3-opus","max_tokens":16,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("A", 30_000_000))
	for _, users := range []int{1, 50} {
		w.attack(t, "memory", fmt.Sprintf("200 parallel bodies of 30 MB of %d free users", users), func(t *testing.T) {
			subjects, tokens := make([]string, users), make([]string, users)
			for i := range users {
				subjects[i], tokens[i] = w.person(t, "free")
			}
			before := w.startPeak(t)
			stop := make(chan struct{})
			var neighbour sync.WaitGroup
			if users == 1 {
				neighbour.Go(func() { w.neighbour(t, stop) })
			}
			statuses := w.flood(t, 200, tokens, body)
			close(stop)
			neighbour.Wait()
			grown, charged := w.peak(t)-before, 0
			for _, subject := range subjects {
				charged += w.charged(t, subject)
			}
			t.Logf("resident memory grew by %d MiB; statuses %v", grown>>20, statuses)
			most := int64(bodyBudget)
			if users > 1 { // one free user has four bodies, which do not fill the budget
				most += overhead
			}
			if grown > most {
				t.Errorf("resident memory grew by %d MiB, want at most %d", grown>>20, most>>20)
			}
			if statuses[http.StatusOK] == 0 || charged != statuses[http.StatusOK] {
				t.Errorf("%d were charged, statuses %v", charged, statuses)
			}
		})
	}
}

// flood sends n copies of a body at once, half of them without a length, and
// counts the statuses; 0 is a connection that was closed in mid-body.
func (w *world) flood(t *testing.T, n int, tokens []string, body []byte) map[int]int {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	var mu sync.Mutex
	statuses := make(map[int]int)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var reader io.Reader = bytes.NewReader(body)
			if i%2 == 1 {
				reader = struct{ io.Reader }{reader}
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.sites["main"]+messages, reader)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header = bearer(tokens[i%len(tokens)])
			status := 0
			if res, err := client.Do(req); err == nil {
				status = res.StatusCode
				_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
				_ = res.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	all.Wait()
	return statuses
}

// neighbour is everybody else: each small request must be served in time.
func (w *world) neighbour(t *testing.T, stop chan struct{}) {
	var worst time.Duration
	served := 0
	for {
		select {
		case <-stop:
			t.Logf("%d requests of others were served, the slowest in %s", served, worst.Round(time.Millisecond))
			if served == 0 {
				t.Error("nobody else was served")
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
		_, token := w.person(t, "free")
		start := time.Now()
		r := w.send(t, request{site: "main", proto: "h1", path: messages, header: bearer(token), body: ask("claude-3-opus", false)})
		worst = max(worst, time.Since(start))
		if r.status != http.StatusOK {
			t.Errorf("somebody else got %d %s", r.status, r.body)
		}
		served++
	}
}
