// Package quotatest is the contract of quota stores: what every store
// promises, as checks that run against two clients of one store, since a
// second replica is the normal case. [RandomWalk] compares two stores step by
// step.
//
// The checks use the real clock, which a store does not let anybody move:
// buckets and leases that must end are short.
package quotatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/quota"
)

// Controller is what a store may offer to checks of revocation, suspension and
// overrides: it sets one control field of a subject, spelled as in
// quota/redis/scripts/reserve.lua: "rv", "v:<session>", "pu" or "o".
type Controller interface {
	Control(ctx context.Context, subject, field, value string) error
}

// Run holds a store to the contract. open returns two clients of one empty
// store, as two replicas see it.
func Run(t *testing.T, open func(*testing.T) (a, b quota.Store)) {
	for _, promise := range contract {
		t.Run(promise.must, func(t *testing.T) {
			t.Parallel()
			a, b := open(t)
			promise.check(t, a, b)
		})
	}
}

var contract = []struct {
	must  string
	check func(t *testing.T, a, b quota.Store)
}{
	{"two replicas together admit exactly the limit", exactLimit},
	{"a charge given back can be used again", returnFrees},
	{"a charge kept stays", keptStays},
	{"settling twice gives back once", settleOnce},
	{"the same id is charged once", replayChargesOnce},
	{"an id released before it arrives is never charged", releaseFirst},
	{"all windows are charged or none", allOrNone},
	{"unlimited counts and never refuses", unlimitedCounts},
	{"a limit change holds at the next request, the counter stays", limitChange},
	{"a malformed request is refused and takes nothing", malformed},
	{"one batch settles many subjects in order", batchOrder},
	{"replicas never hold more than the in-flight cap", inFlightCap},

	{"a lease that ends gives the charge and the slot back", leaseEnds},
	{"the floor of an ended lease stays charged", leaseFloor},
	{"a late settle corrects", lateSettle},
	{"a renewed lease lives on", renewLives},

	{"failures are given back up to the cap", refundCap},
	{"failures and abandoned requests have caps of their own", refundCapsApart},
	{"what never happened is given back beyond all caps and counts against none", voidIsNoRefund},
	{"the refund cap counts on the first window that is not a rate", refundCapBehindRate},
	{"tokens are corrected to what was counted", actualAmounts},

	{"a first-use bucket opens with the first charge and ends", firstUse},
	{"the end of a running bucket is a promise", endIsPromise},
	{"an earlier end is adopted", earlierEnd},
	{"a refund into an ended bucket is dropped", refundIntoEndedBucket},
	{"stale bounds are told the clock", staleBounds},
	{"a rate admits its burst, then waits", rate},

	{"a turn and its steps cost what the credit says", turnCredit},
	{"limit x (K+1) calls at most, whatever the client claims", turnCeiling},
	{"a failed turn that nobody rode on is given back with its credit", failedTurn},
	{"a failed turn that steps rode on stays charged", riddenTurn},
	{"a failed step gives its credit back", failedStep},
	{"a step that had to pay is no source of free credit", paidStepFails},
	{"an ended lease does not make ridden turns free", riddenTurnLease},
	{"failing turns never buy free calls", turnsConserve},

	{"an unknown subject reads as empty", readUnknown},
	{"a record reads as the sum of its reservations", readSums},
	{"the ledger keeps lines, newest first", ledger},

	{"a revoked credential or session is refused", revoked},
	{"a suspended subject is refused until then", paused},
	{"an override replaces the limit while it holds", override},
}

// never is the end of calendar buckets that must not end in a test, Unix ms.
const never = 4_000_000_000_000

// newID returns a random reservation.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newSubject returns somebody unknown.
func newSubject() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// daily is a calendar window of requests that takes one.
func daily(limit int64) quota.Window {
	return quota.Window{Name: "day/requests", Kind: quota.Calendar, Limit: limit, Amount: 1, From: 1, To: never}
}

// request asks for one charge with a lease that does not end in a test.
func request(subject string, windows ...quota.Window) *quota.Request {
	return &quota.Request{ID: newID(), Subject: subject, Lease: time.Minute, Windows: windows}
}

// reserve asks and fails the test on an error.
func reserve(t *testing.T, s quota.Store, req *quota.Request) quota.Decision {
	t.Helper()
	d, err := s.Reserve(t.Context(), req)
	if err != nil {
		t.Fatalf("Reserve: %v", err)
	}
	return d
}

// want reserves and compares the status.
func want(t *testing.T, s quota.Store, req *quota.Request, status quota.Status) quota.Decision {
	t.Helper()
	d := reserve(t, s, req)
	if d.Status != status {
		t.Fatalf("Reserve = %+v; want status %d", d, status)
	}
	return d
}

// settle ends one reservation with a cap that is never reached.
func settle(t *testing.T, s quota.Store, req *quota.Request, mode quota.Mode) quota.Result {
	t.Helper()
	return settleWith(t, s, quota.Settlement{ID: req.ID, Subject: req.Subject, Mode: mode, RefundCap: 1 << 30})
}

func settleWith(t *testing.T, s quota.Store, st quota.Settlement) quota.Result {
	t.Helper()
	results, err := s.Settle(t.Context(), []quota.Settlement{st})
	if err != nil || len(results) != 1 {
		t.Fatalf("Settle = %v, %v", results, err)
	}
	return results[0]
}

// used reads one counter.
func used(t *testing.T, s quota.Store, subject, window string) int64 {
	t.Helper()
	return read(t, s, subject).Windows[window].Used
}

func read(t *testing.T, s quota.Store, subject string) quota.Record {
	t.Helper()
	rec, err := s.Read(t.Context(), subject)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return rec
}

// equal compares what a check got with what it wants.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v; want %v", what, got, want)
	}
}

// eventually waits for a lease or bucket to end on the store's own clock.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: still not after 5 s", what)
		}
	}
}
