//go:build attack

package attack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// resets lets clients leave in mid-stream, a thousand times: each upstream
// request ends within a second, no goroutine stays, and each answer that had
// begun stays charged.
func (w *world) resets(t *testing.T, c framingCase) {
	for _, proto := range []string{"h1", "h2"} {
		w.attack(t, c.ID, c.Name+" "+proto, func(t *testing.T) {
			const workers, each = 10, 50 // on each version of HTTP
			w.internal.play(t, streamForever)
			subject, token := w.person(t, "enterprise")
			before := w.goroutines(t)
			drain(w.internal.ended)
			var all sync.WaitGroup
			for range workers {
				all.Go(func() {
					for range each {
						w.leaveStream(t, proto, token)
					}
				})
			}
			all.Wait()
			w.wantCharge(t, subject, workers*each)
			harness.Poll(t, 10*time.Second, "goroutines to end", func() error {
				if after := w.goroutines(t); after > before+30 {
					return fmt.Errorf("%d goroutines, %d before", after, before)
				}
				return nil
			})
		})
	}
}

// leaveStream reads the first bytes of a stream, leaves, and waits for the
// upstream to notice. Streams end in any order, so the wait is for one of them.
func (w *world) leaveStream(t *testing.T, proto, token string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.sites["main"]+messages, strings.NewReader(string(ask(routedTo, true))))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header = bearer(token)
	res, err := w.clients[proto].Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	var some [64]byte
	if _, err := res.Body.Read(some[:]); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v; want a stream", res.StatusCode, err)
		return
	}
	cancel()
	select {
	case <-w.internal.ended:
	case <-time.After(time.Second):
		t.Error("the upstream's request still runs a second after the client left")
	}
}

func drain(c chan struct{}) {
	for len(c) > 0 {
		<-c
	}
}

// goroutines asks the gateway's admin socket how many run.
func (w *world) goroutines(t *testing.T) int {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", w.admin)
		},
	}}
	res, err := client.Get("http://127.0.0.1/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var n int
	if _, err := fmt.Fscanf(res.Body, "goroutine profile: total %d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}
