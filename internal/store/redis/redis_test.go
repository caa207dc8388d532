package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/openova-io/llm-gateway/internal/redistest"
)

func TestMain(m *testing.M) {
	LogTo(zap.NewNop(), time.Now)
	os.Exit(m.Run())
}

func openClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := Open(o, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// longCommand has more than ten arguments, as our scripts have.
func longCommand(c *Client) error {
	return c.MSet(context.Background(), "a", 1, "b", 1, "c", 1, "d", 1, "e", 1, "f", 1).Err()
}

func TestUnavailable(t *testing.T) {
	s := redistest.Start(t)
	c := openClient(t, Options{URL: s.URL})
	ctx := t.Context()
	if err := c.Set(ctx, "s", "text", 0).Err(); err != nil {
		t.Fatal(err)
	}
	script := func(src string) error { return c.Eval(ctx, src, nil).Err() }
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel2 := context.WithTimeout(ctx, time.Nanosecond)
	defer cancel2()
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"no error", nil, false},
		{"no such key", c.Get(ctx, "none").Err(), false},
		{"wrong type", c.HGet(ctx, "s", "f").Err(), false},
		{"a script that fails", script("return nil + 1"), false},
		{"a call that a script makes wrongly", script("return redis.call('HGET', 's', 'f')"), false},
		{"the caller left", c.Get(cancelled, "s").Err(), false},
		{"the caller's time is up", c.Get(late, "s").Err(), true},
		{"nothing listens", openClient(t, Options{URL: "unix:///nonexistent/sock"}).Get(ctx, "s").Err(), true},
		{"breaker", ErrOpen, true},
		{"read only", script("return redis.error_reply('READONLY no writes')"), true},
		{"wrapped", fmt.Errorf("settle: %w", script("return redis.error_reply('MASTERDOWN no link')")), true},
	} {
		if got := Unavailable(tc.err); got != tc.want {
			t.Errorf("%s: Unavailable(%v) = %v; want %v", tc.name, tc.err, got, tc.want)
		}
	}
	c = openClient(t, Options{URL: s.URL}) // the failures above opened the other's breaker
	if err := c.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := script("return redis.call('HSET', 'h', 'f', 1)"); !Unavailable(err) {
		t.Errorf("memory is used up: Unavailable(%v) = false", err)
	}
}

func TestPasswordMissing(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "hunter2")
	err := longCommand(openClient(t, Options{URL: s.URL}))
	if !Unavailable(err) || !strings.Contains(Explain(err).Error(), "password missing") {
		t.Errorf("without a password: %v; want one that says so", Explain(err))
	}
	wrong := openClient(t, Options{URL: s.URL, Password: "wrong-secret"})
	if err := longCommand(wrong); !Unavailable(err) || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("wrong password: %v", err)
	}
}

// A rotation changes file and server at different moments: neither order may
// lock the gateway out.
func TestPasswordRotates(t *testing.T) {
	for _, order := range []string{"file first", "server first"} {
		t.Run(order, func(t *testing.T) {
			s := redistest.Start(t, "--requirepass", "one")
			file := filepath.Join(t.TempDir(), "password")
			write := func(pw string) {
				if err := os.WriteFile(file, []byte(pw+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("one")
			c := openClient(t, Options{URL: s.URL, PasswordFile: file})
			if err := longCommand(c); err != nil {
				t.Fatal(err)
			}
			server := func(pw string) {
				if err := c.ConfigSet(t.Context(), "requirepass", pw).Err(); err != nil {
					t.Fatal(err)
				}
			}
			// New connections are what sign in: the old ones are cut each time.
			cut := func() { _ = c.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "no").Err() }
			if order == "file first" {
				write("two")
				cut()
				eventually(t, func() error { return longCommand(c) })
				server("two")
			} else {
				server("two")
				write("two")
			}
			cut()
			eventually(t, func() error { return longCommand(c) })
		})
	}
}

func TestOfferedPasswordIsTriedBesideTheOld(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "one")
	c := openClient(t, Options{URL: "unix://:one@" + s.Socket})
	c.Offer(Options{URL: "unix://:two@" + s.Socket})
	eventually(t, func() error { return longCommand(c) })
}

func TestDeadStoreFailsAtOnce(t *testing.T) {
	s := redistest.Start(t)
	c := openClient(t, Options{URL: s.URL})
	if err := longCommand(c); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	for range 3 {
		if err := longCommand(c); !Unavailable(err) {
			t.Fatalf("a dead store: %v; want unavailable", err)
		}
	}
	start := time.Now()
	err := longCommand(c)
	if took := time.Since(start); !errors.Is(err, ErrOpen) || took > 5*time.Millisecond {
		t.Errorf("the fourth call: %v after %v; want ErrOpen at once", err, took)
	}
	s.Restart()
	start = time.Now()
	eventually(t, func() error { return longCommand(c) })
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("back after %v; want ≤ 2 s", took)
	}
}

func TestPipelineIsGuarded(t *testing.T) {
	c := openClient(t, Options{URL: "unix:///nonexistent/sock"})
	pipeline := func() []goredis.Cmder {
		cmds, _ := c.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
			p.Get(t.Context(), "a")
			p.Get(t.Context(), "b")
			return nil
		})
		return cmds
	}
	for range 3 {
		pipeline()
	}
	for _, cmd := range pipeline() {
		if !errors.Is(cmd.Err(), ErrOpen) {
			t.Errorf("%v: %v; want ErrOpen", cmd.Args(), cmd.Err())
		}
	}
}

func TestSilentServerTimesOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := openClient(t, Options{URL: "redis://" + l.Addr().String(), Timeout: 20 * time.Millisecond})
	start := time.Now()
	if err := longCommand(c); !Unavailable(err) {
		t.Errorf("a server that says nothing: %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}

func TestLogIsRateLimited(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	now := time.Unix(1_700_000_000, 0)
	l := &limited{log: zap.New(core), now: func() time.Time { return now }}
	for range 100 {
		l.Printf(t.Context(), "dial %s", "failed")
	}
	now = now.Add(logPause)
	l.Printf(t.Context(), "again")
	got := logs.All()
	if len(got) != 2 || got[0].ContextMap()["says"] != "dial failed" || got[1].ContextMap()["left_out"] != int64(99) {
		t.Errorf("lines: %v", got)
	}
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("still fails: %v", err)
}
