package redis_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

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
