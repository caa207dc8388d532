package respw_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/respw"
)

func TestTheHoldRunsOut(t *testing.T) {
	for _, tc := range []struct {
		d     dialect.Dialect
		begin string
		ping  string
	}{
		{dialect.Anthropic, messageStart, pingEvent},
		{dialect.Anthropic, "", comment},
		{dialect.OpenAI, roleChunk, comment},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient()
			w := stream(t, c, tc.d)
			write(t, w, tc.begin)
			time.Sleep(10*time.Second - 1)
			synctest.Wait()
			if status, _ := c.state(); status != 0 {
				t.Fatal("sent before the hold was over")
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if status, flushes := c.state(); status != 200 || c.body() != tc.begin+tc.ping || flushes != 1 {
				t.Fatalf("at 10 s: status %d, %d flushes, %q", status, flushes, c.body())
			}
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if want := tc.begin + strings.Repeat(tc.ping, 4); c.body() != want {
				t.Errorf("at 40 s: %q", c.body())
			}
			if _, flushes := c.state(); flushes != 4 {
				t.Errorf("at 40 s: %d flushes for the hold and three pings", flushes)
			}
			if got := w.Finish(true); !got.Committed || got.Content || got.Complete || !got.FirstByte.IsZero() {
				t.Errorf("Finish() = %+v", got)
			}
			if err := w.AppendError([]byte(errorEvent)); err != nil || !strings.HasSuffix(c.body(), errorEvent) {
				t.Errorf("AppendError() = %v", err)
			}
		})
	}
}

func TestPingsComeAfterSilenceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient()
		w := stream(t, c, dialect.Anthropic)
		write(t, w, messageStart+textDelta)
		for range 30 {
			time.Sleep(9 * time.Second)
			write(t, w, textDelta)
		}
		if strings.Contains(c.body(), "ping") {
			t.Fatal("a stream that is not silent was pinged")
		}
		time.Sleep(10*time.Second - 1)
		synctest.Wait()
		if strings.Contains(c.body(), "ping") {
			t.Fatal("pinged before 10 s of silence")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !strings.HasSuffix(c.body(), textDelta+pingEvent) {
			t.Fatalf("no ping after 10 s of silence: %q", c.body())
		}
		// An event that is half there does not reach the client, so a ping may.
		write(t, w, textDelta[:50])
		time.Sleep(20 * time.Second)
		synctest.Wait()
		write(t, w, textDelta[50:])
		if !strings.HasSuffix(c.body(), pingEvent+pingEvent+pingEvent+textDelta) {
			t.Errorf("pings around half an event: %q", c.body())
		}
		w.Finish(false)
		before := c.body()
		time.Sleep(time.Hour)
		if c.body() != before {
			t.Error("pinged behind Finish")
		}
	})
}

func TestPingMaySoonerFollowThanTheHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient()
		opts := options(dialect.OpenAI)
		opts.Hold, opts.Ping = time.Minute, time.Second
		w := begin(t, c, opts, "text/event-stream")
		write(t, w, textChunk)
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if c.body() != textChunk+comment+comment+comment {
			t.Errorf("after 3.5 s: %q", c.body())
		}
		w.Finish(false)
	})
}

func TestHoldAndPingCanBeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient()
		opts := options(dialect.OpenAI)
		opts.Hold, opts.Ping = -1, -1
		w := begin(t, c, opts, "text/event-stream")
		write(t, w, roleChunk)
		time.Sleep(time.Hour)
		if status, _ := c.state(); status != 0 {
			t.Error("a hold without end ended")
		}
		write(t, w, textChunk)
		time.Sleep(time.Hour)
		if c.body() != roleChunk+textChunk {
			t.Errorf("the client has %q", c.body())
		}
		w.Finish(false)
	})
}

// lateTimer is one that had already fired when it was stopped.
type lateTimer struct{}

func (lateTimer) Stop() bool               { return false }
func (lateTimer) Reset(time.Duration) bool { return false }

// A tick that comes too late, behind Finish and even behind Release, touches
// neither its own stream nor the one that got the Writer next.
func TestATickThatComesTooLate(t *testing.T) {
	for range 50 {
		opts := options(dialect.OpenAI)
		var late func()
		opts.AfterFunc = func(_ time.Duration, f func()) respw.Timer {
			late = f
			return lateTimer{}
		}
		c := newClient()
		w := respw.New(c, opts)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(roleChunk))
		w.Finish(false)
		late()
		w.Release()
		next := newClient()
		w = stream(t, next, dialect.OpenAI)
		late()
		if c.status != 0 || next.status != 0 {
			t.Fatalf("a late tick sent status %d to its stream, %d to the next", c.status, next.status)
		}
		w.Finish(true)
	}
}
