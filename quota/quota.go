// Package quota decides whether a subject may make one more request in its
// current windows, and counts that request exactly once.
//
// A charge has two steps: [Store.Reserve] takes it before the request leaves,
// [Store.Settle] keeps it or gives it back, whatever ended the request. A
// reservation that nobody settles (the process was killed) goes back when its
// lease ends.
//
// This package holds the words that both stores share, window arithmetic
// (window.go) and the [Engine] that a gateway drives them with. The stores are
// quota/redis and quota/embedded; quota/quotatest is their contract. Nothing
// here knows HTTP.
package quota

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Unlimited is a limit that never refuses. It still counts.
const Unlimited int64 = -1

// WindowKind is how a window's bucket comes about.
type WindowKind byte

// The kinds, as the scripts spell them.
const (
	// Calendar is a bucket [From, To) of a calendar in some zone.
	Calendar WindowKind = 'c'
	// FirstUse is a bucket that opens with the first charge and lasts Length.
	FirstUse WindowKind = 'f'
	// Rate is a generic cell rate: one unit each Length, Burst at once.
	Rate WindowKind = 'g'
)

// Window is one limit of one reservation, with its bounds already computed for
// the moment. The zero value is not usable.
type Window struct {
	// Name identifies the counter together with the subject: "day/requests".
	Name string
	Kind WindowKind
	// Limit is the most that the bucket admits; [Unlimited] counts only.
	Limit int64
	// Amount is what this reservation takes, Floor what stays charged if its
	// lease runs out.
	Amount, Floor int64
	// From and To are Unix milliseconds for Calendar; for FirstUse From is the
	// length in ms; for Rate From is ms per unit and To the burst in units.
	From, To int64
	// Credit is +K to open a turn of K calls, -K for a step inside one, else 0.
	Credit int64
}

// Request asks for one charge in all windows or none.
type Request struct {
	// ID is the reservation: 96 random bits as 16 base64url characters. The
	// same ID reserved twice is charged once.
	ID      string
	Subject string // 32 hex digits
	// Session and IssuedAt (Unix seconds) let the store refuse what was revoked.
	Session  string
	IssuedAt int64
	// InFlight is the most reservations that the subject may hold; 0 or less
	// means no cap.
	InFlight int64
	// Lease is how long the reservation lives without Renew or Settle.
	Lease   time.Duration
	Windows []Window
}

// Status is the store's answer to a Request.
type Status uint8

// The answers. Only OK and Replay hold a charge.
const (
	OK       Status = iota
	Replay          // this ID holds its charge already
	Spent           // a window is used up: Windows tells which
	InFlight        // too many reservations of this subject are open
	Revoked         // the credential or session was revoked
	Paused          // the subject is suspended
	Clock           // bounds are not current on the store's clock: see Decision.Now
	Gone            // this ID was released before it arrived
)

// Decision is the store's answer with what stands in the counters.
type Decision struct {
	Status Status
	// Now is the store's clock, Unix milliseconds.
	Now int64
	// InFlight counts the subject's open reservations, this one included.
	InFlight int64
	// Windows stands in the order of Request.Windows. Empty for Revoked,
	// Paused, Clock.
	Windows []WindowState
}

// WindowState is one counter after the decision.
type WindowState struct {
	Used  int64 // includes this reservation if it was admitted
	Limit int64 // as in force, overrides included
	// End is when the bucket ends, Unix ms; for Rate the earliest retry.
	End int64
}

// Mode is how a reservation ends.
type Mode byte

// The modes, as the scripts spell them.
const (
	// Charge keeps the units: an answer was given.
	Charge Mode = 's'
	// GiveBack returns them: something went wrong upstream or in us. Bounded
	// by the refund cap for failures.
	GiveBack Mode = 'f'
	// Abandon returns them because the client left before any content.
	// Bounded by a smaller cap, so that prefill is not free.
	Abandon Mode = 'c'
	// Void returns them because nothing happened: the request was never sent,
	// or nobody knows whether its charge was taken at all. No refund cap counts
	// it or holds it back, so a store that answers late cannot use up the
	// refunds of a day. Only a turn that others rode on stays charged, as
	// with GiveBack.
	Void Mode = 'v'
)

// LateSettle is how long a store remembers a reservation whose lease ran out: a
// settlement that comes within it still says what stays charged.
const LateSettle = 10 * time.Minute

// Settlement ends one reservation. Only the first settlement of an ID counts.
type Settlement struct {
	ID      string
	Subject string
	Mode    Mode
	// RefundCap is how many refunds of this mode the first window that is not
	// a rate allows per bucket; beyond it the charge stays. Not for Void.
	RefundCap int64
	// Actual holds the true amount by window name; a window not named keeps
	// what was reserved. nil for requests.
	Actual map[string]int64
	// Line is what the ledger keeps of this request; see Entry. Empty: none.
	Line string
}

// Result is what a settlement did.
type Result uint8

// The results.
const (
	Done    Result = iota // kept or given back as asked
	Kept                  // refund cap reached: charged
	Late                  // the lease had run out: corrected
	Unknown               // settled before, or never seen (then it can never be reserved)
)

// Lease prolongs a running reservation.
type Lease struct {
	ID      string
	Subject string
	Lease   time.Duration
}

// Record is all that a store knows of a subject. Reserved amounts are part of
// Used.
type Record struct {
	Now      int64 // the store's clock, Unix ms
	InFlight int64
	Windows  map[string]RecordWindow
	Ledger   []string // newest first
}

// RecordWindow is one stored counter.
type RecordWindow struct {
	Used, Reserved, Start, End int64
}

// ErrUnavailable is wrapped by every error that means "the store could not be
// asked": dead, slow, refusing writes, wrong password.
var ErrUnavailable = errors.New("quota store unavailable")

// ErrNotAsked is an ErrUnavailable of a store that did not send the call at
// all, because its breaker is open, say: nothing can have been taken, so nothing
// has to be given back.
var ErrNotAsked = fmt.Errorf("%w: not asked", ErrUnavailable)

// Store keeps counters for all replicas. Implementations are safe for
// concurrent use, take the time from their own clock only, and do each call in
// one round trip.
type Store interface {
	// Reserve decides and takes, atomically. An error wraps ErrUnavailable
	// unless the one subject's record is damaged.
	Reserve(ctx context.Context, req *Request) (Decision, error)

	// Settle ends reservations, each exactly once. Results stand in the order
	// of the batch.
	Settle(ctx context.Context, batch []Settlement) ([]Result, error)

	// Renew prolongs leases and reports which reservations still live.
	Renew(ctx context.Context, batch []Lease) ([]bool, error)

	// Read returns a subject's record; an unknown subject has an empty one.
	Read(ctx context.Context, subject string) (Record, error)
}

// Guest is a configured store: what a module of the namespace
// llm_gateway.quota gives to the handlers.
type Guest interface {
	// Store returns the store. It never blocks: a store that must be opened
	// or reached does so on first use, and fails with [ErrUnavailable].
	Store() Store

	// Kind is "redis" or "embedded".
	Kind() string

	// Key identifies the counters: guests with the same key, also those of an
	// older configuration, have the same store. It holds no secret.
	Key() string
}

// Timed is a [Guest] that says how far away its store is. A guest that does not
// is on this machine.
type Timed interface {
	// StoreTimeout is how long one step of a call may take: dialling, writing,
	// reading. It goes into [Options.StoreTimeout].
	StoreTimeout() time.Duration
}

// maxAmount bounds every number of a request, so that sums of them are exact
// in the doubles that a script calculates with.
const maxAmount = 1 << 50

// Check reports what is wrong with a request that no store could count: names
// that the record cannot hold, numbers out of bounds, a window given twice.
// Every store checks before it decides.
func (r *Request) Check() error {
	if !storable(r.ID) || !storable(r.Subject) {
		return fmt.Errorf("quota: reservation %q of subject %q: both must be words of letters, digits, - and _", r.ID, r.Subject)
	}
	if r.Lease <= 0 {
		return fmt.Errorf("quota: a reservation needs a lease, got %v", r.Lease)
	}
	for i := range r.Windows {
		w := &r.Windows[i]
		if err := w.check(); err != nil {
			return err
		}
		for j := range i {
			if r.Windows[j].Name == w.Name {
				return fmt.Errorf("quota: window %q given twice", w.Name)
			}
		}
	}
	return nil
}

// check looks at one window by itself.
func (w *Window) check() error {
	if w.Name == "" || strings.ContainsAny(w.Name, " \t\r\n\v\f") {
		return fmt.Errorf("quota: %q cannot name a window", w.Name)
	}
	if w.Limit < Unlimited || w.Limit > maxAmount || w.Amount < 0 || w.Amount > maxAmount ||
		w.Floor < 0 || w.Floor > w.Amount || w.Credit < -maxAmount || w.Credit > maxAmount {
		return fmt.Errorf("quota: window %q: limit %d, amount %d, floor %d or credit %d is out of bounds",
			w.Name, w.Limit, w.Amount, w.Floor, w.Credit)
	}
	bounds := false
	switch w.Kind {
	case Calendar:
		bounds = w.From >= 0 && w.To > w.From
	case FirstUse:
		bounds = w.From > 0
	case Rate:
		bounds = w.From > 0 && w.To > 0 && max(w.To, w.Amount) <= maxAmount/w.From
	}
	if !bounds || w.From > maxAmount || w.To > maxAmount {
		return fmt.Errorf("quota: window %q: kind %q has no bucket from %d to %d", w.Name, w.Kind, w.From, w.To)
	}
	return nil
}

// storable reports whether s is a word that keys, fields and records can hold.
func storable(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
