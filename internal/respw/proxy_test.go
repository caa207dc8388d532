package respw_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/respw"
)

// gateway is a proxy to upstream as the real one is built: the wrapper around
// it, and an error event or a 502 where the answer failed.
func gateway(t *testing.T, upstream http.HandlerFunc, opts respw.Options) (*httptest.Server, <-chan respw.Outcome) {
	t.Helper()
	backend := httptest.NewServer(upstream)
	t.Cleanup(backend.Close)
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	outcomes := make(chan respw.Outcome, 100)
	handler := func(rw http.ResponseWriter, r *http.Request) {
		w := respw.New(rw, opts)
		defer w.Release()
		result := w.Finish(serve(proxy, w, r))
		switch {
		case !result.Committed:
			rw.WriteHeader(http.StatusBadGateway)
		case result.Stream && !result.Complete && !result.ClientGone:
			if err := w.AppendError([]byte(errorEvent)); err != nil && r.Context().Err() == nil {
				t.Errorf("AppendError() = %v", err)
			}
		}
		outcomes <- result
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(handler))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv, outcomes
}

// serve reports whether the proxy gave up in the middle.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if v := recover(); v != nil {
			err, ok := v.(error)
			if !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			aborted = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// clients are the ways to reach the gateway.
func clients(t *testing.T) map[string]*http.Client {
	t.Helper()
	h2c := &http.Transport{Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	h1 := &http.Transport{}
	t.Cleanup(h1.CloseIdleConnections)
	t.Cleanup(h2c.CloseIdleConnections)
	return map[string]*http.Client{"h1": {Transport: h1}, "h2c": {Transport: h2c}}
}

func get(t *testing.T, ctx context.Context, c *http.Client, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// frame reads up to the next blank line.
func frame(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			t.Fatalf("stream ended inside %q: %v", b.String(), err)
		}
		if line == "\n" {
			return b.String()
		}
	}
}

// Each event is with the client before the upstream makes the next one.
func TestEachEventArrivesBeforeTheNextIsMade(t *testing.T) {
	for name, c := range clients(t) {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{})
			srv, outcomes := gateway(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range 10 {
					if i > 0 {
						<-next
					}
					fmt.Fprint(w, textChunk[:9])
					_ = http.NewResponseController(w).Flush()
					fmt.Fprint(w, textChunk[9:])
					_ = http.NewResponseController(w).Flush()
				}
				fmt.Fprint(w, done)
			}, options(dialect.OpenAI))
			res := get(t, t.Context(), c, srv.URL)
			r := bufio.NewReader(res.Body)
			for i := range 10 {
				if i > 0 {
					next <- struct{}{}
				}
				if got := frame(t, r); got != textChunk {
					t.Fatalf("event %d = %q", i, got)
				}
			}
			if got := frame(t, r); got != done {
				t.Errorf("last event = %q", got)
			}
			if out := <-outcomes; !out.Complete || out.Bytes != int64(10*len(textChunk)+len(done)) {
				t.Errorf("outcome %+v", out)
			}
		})
	}
}

func TestAnUpstreamThatDies(t *testing.T) {
	for name, c := range clients(t) {
		for _, tc := range []struct {
			name, sends string
			status      int
			body        string
		}{
			{"before content", messageStart, http.StatusBadGateway, ""},
			{"before anything", "", http.StatusBadGateway, ""},
			{"between events", messageStart + textDelta, http.StatusOK, messageStart + textDelta + errorEvent},
			{"inside an event", messageStart + textDelta + textDelta[:70], http.StatusOK, messageStart + textDelta + errorEvent},
			{"behind the stop reason", messageStart + textDelta + messageDelta, http.StatusOK, messageStart + textDelta + messageDelta},
		} {
			t.Run(name+"/"+tc.name, func(t *testing.T) {
				srv, outcomes := gateway(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					fmt.Fprint(w, tc.sends)
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}, options(dialect.Anthropic))
				res := get(t, t.Context(), c, srv.URL)
				body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
				if res.StatusCode != tc.status || string(body) != tc.body || err != nil {
					t.Errorf("the client got %d %q, %v; want %d %q", res.StatusCode, body, err, tc.status, tc.body)
				}
				if out := <-outcomes; out.Complete != strings.Contains(tc.sends, messageDelta) {
					t.Errorf("outcome %+v", out)
				}
			})
		}
	}
}

func TestAClientThatLeavesStopsTheUpstream(t *testing.T) {
	for name, c := range clients(t) {
		for _, begin := range []string{roleChunk, textChunk} {
			t.Run(name, func(t *testing.T) {
				stopped := make(chan struct{})
				started := make(chan struct{})
				srv, outcomes := gateway(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					fmt.Fprint(w, begin)
					_ = http.NewResponseController(w).Flush()
					close(started)
					<-r.Context().Done()
					close(stopped)
				}, options(dialect.OpenAI))
				ctx, leave := context.WithCancel(t.Context())
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					<-started
					leave()
				}()
				if res, err := c.Do(req); err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if err == nil {
						t.Error("the stream ended in order")
					}
				}
				<-stopped
				if out := <-outcomes; out.Complete {
					t.Errorf("outcome %+v", out)
				}
			})
		}
	}
}

// Pings, writes, the end of the answer and the pool at the same time: for the
// race detector, and no stream may get a byte of another.
func TestPingsRaceWithEverything(t *testing.T) {
	opts := options(dialect.OpenAI)
	opts.Hold, opts.Ping = 200*time.Microsecond, 100*time.Microsecond
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 40 {
				c := newClient()
				w := respw.New(c, opts)
				w.Header().Set("Content-Type", "text/event-stream")
				w.WriteHeader(200)
				mine := strings.Replace(textChunk, "hi", fmt.Sprint(g, "-", i), 1)
				for n := range 20 {
					_, _ = w.Write([]byte(mine[:n]))
					_, _ = w.Write([]byte(mine[n:]))
					_ = w.FlushError()
					w.Header().Set("X-Trailer", "x")
					if n%5 == 0 {
						time.Sleep(150 * time.Microsecond)
					}
				}
				w.Finish(false)
				sent := c.body()
				if got := strings.ReplaceAll(sent, comment, ""); got != strings.Repeat(mine, 20) {
					t.Errorf("stream %d-%d: %q", g, i, got)
				}
				_ = w.AppendError([]byte(errorEvent))
				w.Release()
				if c.body() != sent+errorEvent {
					t.Error("something was written behind the end")
				}
			}
		})
	}
	wg.Wait()
}
