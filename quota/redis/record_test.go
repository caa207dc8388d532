package redis_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/openova-io/llm-gateway/internal/redistest"
	"github.com/openova-io/llm-gateway/quota"
)

// A bucket that begins in the future is what a clock that was set back leaves:
// charges to it come back all the same, when they are given back and when their
// lease ends.
func TestClockSetBack(t *testing.T) {
	r := connect(t, redistest.Start(t).URL)
	key := "llmgw:q1:{" + subject + "}"
	start := strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)
	stored := "1 " + start + " 4000000000000 0 0 0"
	if err := r.raw.HSet(t.Context(), key, "w:day/requests", stored).Err(); err != nil {
		t.Fatal(err)
	}
	counter := func() string { return r.raw.HGet(t.Context(), key, "w:day/requests").Val() }

	mustReserve(t, r, "a")
	if rec := r.raw.HGet(t.Context(), key, "r:a").Val(); strings.Fields(rec)[2] != start {
		t.Errorf("record %q; want it reserved at %s, when its bucket began", rec, start)
	}
	back := settlement("a")
	back.Mode, back.RefundCap = quota.GiveBack, 9
	got, err := r.Settle(t.Context(), []quota.Settlement{back})
	if want := "1 " + start + " 4000000000000 1 0 0"; err != nil || got[0] != quota.Done || counter() != want {
		t.Errorf("Settle = %v, %v, stored %q; want %q", got, err, counter(), want)
	}

	short := charge("b")
	short.Lease = time.Millisecond
	if _, err := r.Reserve(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond) // the lease
	mustReserve(t, r, "c")
	if used, _, _ := strings.Cut(counter(), " "); used != "2" {
		t.Errorf("stored %q; want the first and the last charge", counter())
	}
}

// names collects what a client sends.
type names struct{ seen []string }

func (*names) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (n *names) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		n.seen = append(n.seen, cmd.Name())
		return next(ctx, cmd)
	}
}

func (n *names) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		for _, cmd := range cmds {
			n.seen = append(n.seen, cmd.Name())
		}
		return next(ctx, cmds)
	}
}

// Every call is a script on the subject's key: what has no key goes to any node
// of a cluster, which may be down, and has a clock of its own.
func TestEveryCallHasTheSubjectsKey(t *testing.T) {
	r := connect(t, redistest.Start(t).URL)
	calls := func() {
		t.Helper()
		id := strconv.Itoa(int(time.Now().UnixNano()))
		mustReserve(t, r, id)
		_, renew := r.Renew(t.Context(), []quota.Lease{{ID: id, Subject: subject, Lease: time.Minute}})
		_, settle := r.Settle(t.Context(), []quota.Settlement{settlement(id)})
		_, read := r.Read(t.Context(), subject)
		if err := errors.Join(renew, settle, read); err != nil {
			t.Fatal(err)
		}
	}
	calls() // teaches the scripts
	sent := new(names)
	r.raw.AddHook(sent)
	calls()
	if want := []string{"evalsha", "evalsha", "evalsha", "evalsha"}; !slices.Equal(sent.seen, want) {
		t.Errorf("sent %q; want %q", sent.seen, want)
	}
}
