package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/redistest"
	conn "github.com/openova-io/llm-gateway/internal/store/redis"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/redis"
)

// proxy stands between a client and the server; reply passes on what the
// server says.
func proxy(t *testing.T, s *redistest.Server, reply func(to net.Conn, b []byte)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	serve := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("unix", s.Socket)
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(server, client) }()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			reply(client, buf[:n])
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "redis://" + l.Addr().String()
}

// A store that was not asked can have taken nothing: whoever gave such a
// reservation back would fill queue and store with ids that nobody knows.
func TestReserveThatWasNotSent(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "secret")
	for name, url := range map[string]string{
		"nothing listens": "unix:///nonexistent/sock",
		"wrong password":  "unix://:wrong@" + s.Socket,
	} {
		r := connect(t, url)
		for i := range 5 { // the breaker opens on the way
			if _, err := r.Reserve(t.Context(), charge("a")); !errors.Is(err, quota.ErrNotAsked) {
				t.Errorf("%s: call %d: %v; want ErrNotAsked", name, i, err)
			}
		}
	}
}

// A call whose reply did not come may have been counted, whatever its last
// attempt failed with: the second one does not even get to sign in.
func TestReserveThatWasSentIsInDoubt(t *testing.T) {
	var silent atomic.Bool
	url := proxy(t, redistest.Start(t), func(to net.Conn, b []byte) {
		if !silent.Load() {
			_, _ = to.Write(b)
		}
	})
	c, err := conn.Open(conn.Options{URL: url, Timeout: 500 * time.Millisecond}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	store := redis.New(c, time.Now)
	mustReserve(t, store, "a")
	silent.Store(true)
	if _, err := store.Reserve(t.Context(), charge("b")); !errors.Is(err, quota.ErrUnavailable) || errors.Is(err, quota.ErrNotAsked) {
		t.Errorf("Reserve = %v; want an error that leaves the charge in doubt", err)
	}
}

// An engine whose store is away has nothing to tell it afterwards about
// requests that it never asked for.
func TestRefusalsLeaveNothingBehind(t *testing.T) {
	s := redistest.Start(t)
	r := connect(t, s.URL)
	e, err := quota.NewEngine(quota.Options{Store: r, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	defer func() { _ = e.Stop(context.Background()) }()
	plan, err := quota.NewPlan("free", []quota.Limit{{Amount: 10, Unit: quota.Requests, Period: quota.Day}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	for i := range 500 {
		if _, err := e.Reserve(t.Context(), quota.Claim{Subject: fmt.Sprintf("%032x", i), Plan: plan}); !errors.Is(err, quota.ErrUnavailable) {
			t.Fatalf("Reserve = %v; want ErrUnavailable", err)
		}
	}
	if n := e.Queued(); n > 0 {
		t.Errorf("%d releases of reservations that were never sent", n)
	}
}

// A charge whose answer was given outlives a store that is away for longer
// than its lease.
func TestOutageLongerThanALease(t *testing.T) {
	s := redistest.Start(t)
	e, err := quota.NewEngine(quota.Options{Store: connect(t, s.URL), Now: time.Now, Lease: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	defer func() { _ = e.Stop(context.Background()) }()
	plan, err := quota.NewPlan("free", []quota.Limit{{Amount: 10, Unit: quota.Requests, Period: quota.Day}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	var answered []*quota.Reservation
	for range 3 {
		r, err := e.Reserve(t.Context(), quota.Claim{Subject: subject, Plan: plan})
		if err != nil {
			t.Fatal(err)
		}
		answered = append(answered, r)
	}
	s.Kill()
	for _, r := range answered {
		r.Keep(quota.Entry{Why: "answered"})
	}
	time.Sleep(time.Second) // the outage
	s.Restart()
	for end := time.Now().Add(10 * time.Second); e.Queued() > 0 || used(t, e, plan) != 3; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("used %d, %d queued, %d lost; want the 3 answers charged", used(t, e, plan), e.Queued(), e.Lost())
		}
	}
}

// used is what a person reads of the first window; -1 while nobody knows.
func used(t *testing.T, e *quota.Engine, plan *quota.Plan) int64 {
	t.Helper()
	u, err := e.Usage(t.Context(), subject, plan)
	if err != nil {
		return -1
	}
	return u.Windows[0].Used
}

// A server that is a quarter of a second away is used, if the configuration
// says that it may take as long.
func TestADistantServer(t *testing.T) {
	url := proxy(t, redistest.Start(t), func(to net.Conn, b []byte) {
		time.Sleep(250 * time.Millisecond)
		_, _ = to.Write(b)
	})
	guest, _, err := load(t, `{"url":"`+url+`","timeout":"4s"}`)
	if err != nil {
		t.Fatal(err)
	}
	timed, ok := guest.(quota.Timed)
	if !ok {
		t.Fatalf("%T is not Timed", guest)
	}
	e, err := quota.NewEngine(quota.Options{Store: guest.Store(), Now: time.Now, StoreTimeout: timed.StoreTimeout()})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	defer func() { _ = e.Stop(context.Background()) }()
	plan, err := quota.NewPlan("free", []quota.Limit{{Amount: 10, Unit: quota.Requests, Period: quota.Day}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Reserve(t.Context(), quota.Claim{Subject: subject, Plan: plan})
	if err != nil {
		t.Fatalf("Reserve = %v; want it to wait for the answer", err)
	}
	if got, err := r.GiveBack(t.Context(), quota.GiveBack, quota.Entry{}); got != quota.Done || err != nil {
		t.Errorf("GiveBack = %v, %v; want it done", got, err)
	}
}
