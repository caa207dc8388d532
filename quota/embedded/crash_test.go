package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/embedded"
)

// childDir makes this test binary a child that reserves until it is killed.
const childDir = "QUOTA_EMBEDDED_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

const alice = "0123456789abcdef0123456789abcdef"

// charge is one request a day with a lease that outlives the test.
func charge(id string) *quota.Request {
	return &quota.Request{
		ID: id, Subject: alice, Lease: time.Hour,
		Windows: []quota.Window{{Name: "day/requests", Kind: quota.Calendar, Limit: 1 << 40, Amount: 1, From: 1, To: 4_000_000_000_000}},
	}
}

// child reserves and settles, and says what was acknowledged: r for a
// reservation, s for a settlement that gave one back.
func child(dir string, out io.Writer) {
	s, _, err := embedded.Open(dir, time.Now)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for i := 0; ; i++ {
		id := "id" + strconv.Itoa(i)
		if d, err := s.Reserve(ctx, charge(id)); err != nil || d.Status != quota.OK {
			panic(fmt.Sprint(d, err))
		}
		fmt.Fprintln(out, "r", id)
		if i%3 != 0 {
			continue
		}
		if _, err := s.Settle(ctx, []quota.Settlement{{ID: id, Subject: alice, Mode: quota.GiveBack, RefundCap: 1 << 40}}); err != nil {
			panic(err)
		}
		fmt.Fprintln(out, "s", id)
	}
}

// Exactly what was acknowledged is there after kill -9, but for the operation
// that was in the air.
func TestKilled(t *testing.T) {
	for trial := range 5 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var reserved, settled int64
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "r ") {
				if reserved++; reserved == 10 {
					time.AfterFunc(time.Duration(trial*17)*time.Millisecond, func() { _ = cmd.Process.Kill() })
				}
			} else {
				settled++
			}
		}
		_ = cmd.Wait()

		s := open(t, dir, time.Now)
		rec, err := s.Read(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		used := rec.Windows["day/requests"].Used
		if diff := used - (reserved - settled); reserved < 10 || diff < -1 || diff > 1 || rec.InFlight != used {
			t.Errorf("stored %d, in flight %d; acknowledged %d reservations, %d settled", used, rec.InFlight, reserved, settled)
		}
		// The counters go on: an id that was acknowledged is still charged.
		if d, err := s.Reserve(t.Context(), charge("id1")); err != nil || d.Status != quota.Replay {
			t.Errorf("Reserve of an acknowledged id = %+v, %v; want a replay", d, err)
		}
		t.Logf("trial %d: %d reserved, %d given back, %d stored", trial, reserved, settled, used)
	}
}
