package redis

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/redistest"
)

// However many passwords are offered that the server does not know, the one
// that works is not forgotten before another one works.
func TestWrongOffersLockNobodyOut(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "one")
	rotate(t, "unix", s.Socket, "unix://:%s@"+s.Socket)
}

func TestWrongOffersLockNobodyOutOfACluster(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	if addr.Port >= 55_000 {
		t.Skip("the cluster's port would lie beyond the last one")
	}
	s := redistest.Start(t, "--requirepass", "one", "--port", strconv.Itoa(addr.Port), "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
	node := openClient(t, Options{URL: "unix://:one@" + s.Socket})
	if err := node.Do(t.Context(), "cluster", "addslotsrange", "0", "16383").Err(); err != nil {
		t.Fatal(err)
	}
	rotate(t, "tcp", addr.String(), "redis+cluster://:%s@"+addr.String())
}

// rotate walks a client with password one through wrong offers to password
// two. Each time all its connections are cut, since only new ones sign in.
func rotate(t *testing.T, network, addr, url string) {
	t.Helper()
	admin := openClient(t, Options{URL: map[string]string{"unix": "unix://:one@", "tcp": "redis://:one@"}[network] + addr})
	c := openClient(t, Options{URL: fmt.Sprintf(url, "one")})
	works := func(step string) {
		t.Helper()
		eventually(t, func() error { return c.Set(t.Context(), "key", step, 0).Err() })
	}
	cut := func() {
		t.Helper()
		if err := admin.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	works("at first")
	for _, wrong := range []string{"two", "three", "four", "two"} {
		c.Offer(Options{URL: fmt.Sprintf(url, wrong)})
		cut()
		works("beside " + wrong)
	}
	if err := admin.ConfigSet(t.Context(), "requirepass", "two").Err(); err != nil {
		t.Fatal(err)
	}
	cut()
	works("with two")
	c.Offer(Options{URL: fmt.Sprintf(url, "five")})
	cut()
	works("with two, beside five")
}

func TestCredentials(t *testing.T) {
	pick := func(c *credentials) string {
		_, password, err := c.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return password
	}
	c := new(credentials)
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() { c.offer("one") }, "one"},
		{func() { c.refused("one") }, "one"},
		{func() { c.worked("one") }, "one"},
		{func() { c.offer("two") }, "two"},
		{func() { c.refused("one") }, "two"}, // by a connection of before
		{func() { c.refused("two") }, "one"},
		{func() { c.refused("two") }, "one"}, // by another one at the same time
		{func() { c.offer("two") }, "one"},
		{func() { c.offer("three") }, "three"},
		{func() { c.refused("three") }, "one"},
		{func() { c.offer("one") }, "one"},
		{func() { c.refused("one") }, "one"},
		{func() { c.offer("two") }, "two"},
		{func() { c.worked("two") }, "two"},
		{func() { c.offer("three") }, "three"},
		{func() { c.refused("three") }, "two"},
	} {
		step.do()
		if got := pick(c); got != step.want {
			t.Errorf("step %d: next is %q; want %q", i, got, step.want)
		}
	}
}
