package keycloak

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// The rules of the key cache (facts: each unknown kid, and only that, may ask
// the issuer; a flood of them costs one fetch per demandEvery).
const (
	maxKeysAge  = 24 * time.Hour   // older sets are not trusted any more
	demandEvery = 10 * time.Second // between fetches for unknown kids
	maxWaiters  = 64               // requests that wait for a fetch
	maxWait     = 2 * time.Second  // and how long
	maxUnknown  = 1024             // kids remembered as unknown
)

var (
	// errNoKeys: the issuer could not be asked. Never a verdict on a token.
	errNoKeys = errors.New("no usable key set of the issuer")
	// errUnknownKid: the issuer was asked and does not have the key.
	errUnknownKid = errors.New("the issuer has no key of this kid")
)

// Keys is the key set of one realm, fetched in the background and on sight of
// an unknown kid. It is shared by all verifiers of the realm and lives across
// reloads. Safe for concurrent use.
type Keys struct {
	realm  string
	issuer string
	now    func() time.Time
	client *http.Client
	logger atomic.Pointer[zap.Logger]

	set        atomic.Pointer[keySet]
	generation atomic.Uint64 // grows whenever a key went away or changed
	waiters    atomic.Int32

	saving sync.Mutex // held while keep writes, so that the newest set stays

	mu       sync.Mutex // guards all below
	keep     Keep
	flight   *flight
	lastFail bool                 // the last fetch failed
	demand   time.Time            // when the next fetch for an unknown kid is due
	unknown  map[string]time.Time // kid → until when it is known to be unknown
	where    discovery
	found    time.Time // when where was found; zero: must be found again
	warned   time.Time
	mismatch string // the foreign issuer that was warned of

	base context.Context //nolint:containedctx // ends running fetches when the last user stops

	loop background
}

// keySet is one answer of the issuer. It is never changed.
type keySet struct {
	keys    map[string]key
	fetched time.Time
}

// flight is one fetch that several callers wait for.
type flight struct {
	done chan struct{}
	err  error         // set before done is closed
	next time.Duration // until the next background refresh; also set before
}

// NewKeys returns the keys of a realm in the form of [RealmURL]. issuer is the
// `iss` that its tokens are expected to carry. It does no I/O; keep may be nil.
func NewKeys(realm, issuer string, now func() time.Time, logger *zap.Logger, keep Keep) *Keys {
	k := &Keys{realm: realm, issuer: issuer, now: now, client: newClient(), unknown: map[string]time.Time{}, base: context.Background()}
	k.Adopt(logger, keep)
	return k
}

// Adopt hands the keys to a newer configuration: its logger and its storage.
func (k *Keys) Adopt(logger *zap.Logger, keep Keep) {
	k.logger.Store(logger)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep = keep
}

// Age returns how old the key set is; 0 without one.
func (k *Keys) Age() time.Duration {
	if s := k.set.Load(); s != nil {
		return k.now().Sub(s.fetched)
	}
	return 0
}

// Ready reports whether tokens can be verified now.
func (k *Keys) Ready() bool { return k.usable() != nil }

// usable returns the set, nil where there is none that may be trusted.
func (k *Keys) usable() *keySet {
	s := k.set.Load()
	if s == nil || len(s.keys) == 0 || k.now().Sub(s.fetched) > maxKeysAge {
		return nil
	}
	return s
}

// find returns the key of a kid. It asks the issuer where the kid is unknown
// and the rules allow it; the error is errNoKeys or errUnknownKid.
func (k *Keys) find(ctx context.Context, kid string) (key, error) {
	if s := k.usable(); s != nil {
		if found, ok := s.keys[kid]; ok {
			return found, nil
		}
	}
	// Twice: the first fetch may have been under way before the key existed.
	for range 2 {
		f, fresh := k.ask(kid)
		if f == nil {
			return key{}, k.verdict()
		}
		if err := k.wait(ctx, f); err != nil {
			return key{}, err
		}
		s := k.usable()
		if s == nil {
			return key{}, errNoKeys
		}
		if found, ok := s.keys[kid]; ok {
			return found, nil
		}
		if fresh && f.err == nil {
			k.remember(kid)
			return key{}, errUnknownKid
		}
	}
	return key{}, k.verdict()
}

// verdict says what a kid that is not in the set means while the issuer must
// not be asked: unknown if it answered last, else nobody knows.
func (k *Keys) verdict() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lastFail || k.usable() == nil {
		return errNoKeys
	}
	return errUnknownKid
}

// ask joins the fetch under way or begins one (fresh) for an unknown kid; nil
// where the rules forbid it.
func (k *Keys) ask(kid string) (f *flight, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if until, ok := k.unknown[kid]; ok && now.Before(until) {
		return nil, false
	}
	if k.flight != nil {
		return k.flight, false
	}
	if now.Before(k.demand) {
		return nil, false
	}
	k.demand = now.Add(demandEvery)
	return k.begin(), true
}

// wait waits for a fetch, bounded in number and time.
func (k *Keys) wait(ctx context.Context, f *flight) error {
	if k.waiters.Add(1) > maxWaiters {
		k.waiters.Add(-1)
		return k.verdict()
	}
	defer k.waiters.Add(-1)
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-f.done:
		return nil
	case <-timer.C:
		return errNoKeys
	case <-ctx.Done():
		return errNoKeys
	}
}

// remember notes a kid that the issuer does not have. A full list forgets all:
// the fetch budget holds without it.
func (k *Keys) remember(kid string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.unknown) >= maxUnknown {
		clear(k.unknown)
	}
	k.unknown[kid] = k.now().Add(demandEvery)
}
