package redis_test

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/redistest"
	conn "github.com/openova-io/llm-gateway/internal/store/redis"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/redis"
)

const subject = "0123456789abcdef0123456789abcdef"

// charge is one request a day.
func charge(id string) *quota.Request {
	return &quota.Request{
		ID: id, Subject: subject, Session: "session", IssuedAt: 1_700_000_000, InFlight: 1 << 30, Lease: time.Minute,
		Windows: []quota.Window{{Name: "day/requests", Kind: quota.Calendar, Limit: 1 << 40, Amount: 1, From: 1, To: 4_000_000_000_000}},
	}
}

func settlement(id string) quota.Settlement {
	return quota.Settlement{ID: id, Subject: subject, Mode: quota.Charge, Line: "line"}
}

func mustReserve(t testing.TB, s quota.Store, id string) {
	t.Helper()
	if d, err := s.Reserve(t.Context(), charge(id)); err != nil || d.Status != quota.OK {
		t.Fatalf("Reserve(%s) = %+v, %v", id, d, err)
	}
}

// A server that was restarted or has taken over knows no scripts.
func TestScriptsAreTaught(t *testing.T) {
	r := connect(t, redistest.Start(t).URL)
	ctx := t.Context()
	forget := func() {
		if err := r.raw.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a", "b", "c"} {
		forget()
		mustReserve(t, r, id)
	}
	forget()
	live, err := r.Renew(ctx, []quota.Lease{{ID: "a", Subject: subject, Lease: time.Minute}})
	if err != nil || !live[0] {
		t.Errorf("Renew = %v, %v", live, err)
	}
	forget()
	got, err := r.Settle(ctx, []quota.Settlement{settlement("a"), settlement("b"), settlement("c")})
	if err != nil || got[0] != quota.Done || got[1] != quota.Done || got[2] != quota.Done {
		t.Errorf("Settle = %v, %v; want each done once", got, err)
	}
}

func TestKeys(t *testing.T) {
	r := connect(t, redistest.Start(t).URL)
	mustReserve(t, r, "a")
	if _, err := r.Settle(t.Context(), []quota.Settlement{settlement("a")}); err != nil {
		t.Fatal(err)
	}
	keys, err := r.raw.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	for _, key := range keys {
		if key != "llmgw:q1:{"+subject+"}" && key != "llmgw:g1:{"+subject+"}" {
			t.Errorf("key %q", key)
		}
		if ttl := r.raw.PTTL(t.Context(), key).Val(); ttl <= 0 {
			t.Errorf("%s never expires", key)
		}
	}
}

// The rights that the documentation asks for are enough.
func TestLeastPrivilege(t *testing.T) {
	s := redistest.Start(t)
	admin := connect(t, s.URL)
	err := admin.raw.Do(t.Context(), "acl", "setuser", "llmgw", "on", ">secret", "~llmgw:*", "-@all", "+hello", "+auth", "+ping",
		"+evalsha", "+eval", "+script|load", "+time", "+hmget", "+hset", "+hget", "+hgetall", "+hdel", "+pexpireat", "+pexpire",
		"+pttl", "+getex", "+lpush", "+ltrim", "+lrange", "+set").Err()
	if err != nil {
		t.Fatal(err)
	}
	r := connect(t, "unix://llmgw:secret@"+s.Socket)
	mustReserve(t, r, "a")
	if live, err := r.Renew(t.Context(), []quota.Lease{{ID: "a", Subject: subject, Lease: time.Minute}}); err != nil || !live[0] {
		t.Errorf("Renew = %v, %v", live, err)
	}
	if got, err := r.Settle(t.Context(), []quota.Settlement{settlement("a")}); err != nil || got[0] != quota.Done {
		t.Errorf("Settle = %v, %v", got, err)
	}
	if _, err := r.Read(t.Context(), subject); err != nil {
		t.Errorf("Read: %v", err)
	}
}

func TestUnavailable(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "secret")
	for name, url := range map[string]string{
		"nothing listens":  "unix:///nonexistent/sock",
		"password missing": s.URL,
		"wrong password":   "unix://:wrong@" + s.Socket,
	} {
		r := connect(t, url)
		_, reserve := r.Reserve(t.Context(), charge("a"))
		_, settle := r.Settle(t.Context(), []quota.Settlement{settlement("a")})
		_, renew := r.Renew(t.Context(), []quota.Lease{{ID: "a", Subject: subject, Lease: time.Minute}})
		_, read := r.Read(t.Context(), subject)
		for call, err := range map[string]error{"Reserve": reserve, "Settle": settle, "Renew": renew, "Read": read} {
			if !errors.Is(err, quota.ErrUnavailable) {
				t.Errorf("%s: %s = %v; want ErrUnavailable", name, call, err)
			}
		}
		if name == "password missing" && !strings.Contains(reserve.Error(), "password missing") {
			t.Errorf("%s: %v", name, reserve)
		}
	}
}

// One damaged record is that subject's trouble: the store itself is fine.
func TestDamagedRecord(t *testing.T) {
	r := connect(t, redistest.Start(t).URL)
	ctx := t.Context()
	for name, damage := range map[string]func(key string) error{
		"a counter that is no counter": func(key string) error { return r.raw.HSet(ctx, key, "w:day/requests", "junk").Err() },
		"not a hash":                   func(key string) error { return r.raw.Set(ctx, key, "junk", 0).Err() },
	} {
		key := "llmgw:q1:{" + subject + "}"
		if err := errors.Join(r.raw.Del(ctx, key).Err(), damage(key)); err != nil {
			t.Fatal(err)
		}
		for range 5 { // more often than the breaker would stand
			_, err := r.Reserve(ctx, charge("a"))
			if err == nil || errors.Is(err, quota.ErrUnavailable) {
				t.Fatalf("%s: Reserve = %v; want an error that is not ErrUnavailable", name, err)
			}
		}
		if _, err := r.Read(ctx, subject); err == nil || errors.Is(err, quota.ErrUnavailable) {
			t.Errorf("%s: Read = %v; want an error that is not ErrUnavailable", name, err)
		}
		other := charge("a")
		other.Subject = strings.Repeat("0", 32)
		if d, err := r.Reserve(ctx, other); err != nil {
			t.Errorf("%s: somebody else: %+v, %v", name, d, err)
		}
	}
}

// Used-up memory refuses a charge whole: nothing is half done.
func TestMemoryUsedUp(t *testing.T) {
	r := connect(t, redistest.Start(t).URL)
	ctx := t.Context()
	mustReserve(t, r, "a")
	before := r.raw.HGetAll(ctx, "llmgw:q1:{"+subject+"}").Val()
	if err := r.raw.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reserve(ctx, charge("b")); !errors.Is(err, quota.ErrUnavailable) {
		t.Errorf("Reserve = %v; want ErrUnavailable", err)
	}
	back := settlement("a")
	back.Mode, back.RefundCap = quota.GiveBack, 9
	if _, err := r.Settle(ctx, []quota.Settlement{back}); !errors.Is(err, quota.ErrUnavailable) {
		t.Errorf("Settle = %v; want ErrUnavailable", err)
	}
	if err := r.raw.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	after := r.raw.HGetAll(ctx, "llmgw:q1:{"+subject+"}").Val()
	if len(after) != len(before) || after["w:day/requests"] != before["w:day/requests"] {
		t.Errorf("the record was %v, is %v", before, after)
	}
	got, err := r.Settle(ctx, []quota.Settlement{back})
	if err != nil || got[0] != quota.Done {
		t.Errorf("Settle again = %v, %v", got, err)
	}
}

// kill -9 of the server loses nothing that was acknowledged.
func TestServerKilled(t *testing.T) {
	s := redistest.Start(t)
	r := connect(t, s.URL)
	mustReserve(t, r, "first")
	var acknowledged int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			d, err := r.Reserve(t.Context(), charge("id"+strconv.Itoa(i)))
			if err != nil {
				return
			}
			if d.Status == quota.OK {
				acknowledged = d.Windows[0].Used
			}
		}
	})
	time.Sleep(100 * time.Millisecond)
	s.Kill()
	wg.Wait()
	s.Restart()
	rec, err := connect(t, s.URL).Read(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	got := rec.Windows["day/requests"].Used
	if acknowledged < 10 {
		t.Errorf("only %d acknowledged", acknowledged)
	}
	if got < acknowledged || got > acknowledged+1 || rec.InFlight != got {
		t.Errorf("stored %d, in flight %d; acknowledged %d and one in the air", got, rec.InFlight, acknowledged)
	}
	t.Logf("%d acknowledged, %d stored", acknowledged, got)
}

func TestReserveAllocations(t *testing.T) {
	s := redistest.Start(t)
	c, err := conn.Open(conn.Options{URL: s.URL, Timeout: time.Minute}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	store := redis.New(c, time.Now)
	mustReserve(t, store, "a")
	req := charge("a") // a replay costs what a charge costs
	got := testing.AllocsPerRun(200, func() {
		if d, err := store.Reserve(t.Context(), req); err != nil || d.Status != quota.Replay {
			t.Fatalf("Reserve = %+v, %v", d, err)
		}
	})
	if got > 13 {
		t.Errorf("%v allocations a Reserve; want ≤ 13", got)
	}
	t.Logf("%v allocations", got)
}

func BenchmarkReserve(b *testing.B) {
	r := connect(b, redistest.Start(b).URL)
	mustReserve(b, r, "a")
	req := charge("a")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Reserve(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}
