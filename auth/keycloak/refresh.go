package keycloak

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"
)

// When the background loop fetches.
const (
	refreshEvery  = 5 * time.Minute // ± 20 %
	minRefresh    = 30 * time.Second
	firstRetry    = time.Second // doubles up to lastRetry
	lastRetry     = 30 * time.Second
	rediscover    = time.Hour
	warnEvery     = time.Minute
	retryJitter   = 0.2
	refreshJitter = 0.2
)

// background is the refresh loop of a key set.
type background struct {
	mu    sync.Mutex
	users int
	end   context.CancelFunc
	ended chan struct{}
}

// Start begins the background refresh for one more user; the first one takes
// what was kept from an earlier process.
func (k *Keys) Start() {
	k.loop.mu.Lock()
	defer k.loop.mu.Unlock()
	k.loop.users++
	if k.loop.users > 1 {
		return
	}
	k.restore()
	ctx, cancel := context.WithCancel(context.Background())
	k.mu.Lock()
	k.base = ctx
	k.mu.Unlock()
	ended := make(chan struct{})
	k.loop.end, k.loop.ended = cancel, ended
	go func() {
		defer close(ended)
		k.refresh(ctx)
	}()
}

// Stop ends the background refresh when the last user stops. The set stays and
// still answers requests that are under way.
func (k *Keys) Stop() {
	k.loop.mu.Lock()
	defer k.loop.mu.Unlock()
	if k.loop.users == 0 {
		return
	}
	k.loop.users--
	if k.loop.users > 0 {
		return
	}
	k.loop.end()
	<-k.loop.ended
	k.mu.Lock()
	k.base = context.Background()
	f := k.flight
	k.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

// refresh fetches until ctx ends.
func (k *Keys) refresh(ctx context.Context) {
	retry := firstRetry
	for {
		k.mu.Lock()
		f := k.flight
		if f == nil {
			f = k.begin()
		}
		k.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return
		}
		pause := f.next
		if f.err != nil {
			pause = jitter(retry, retryJitter)
			retry = min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// begin starts a fetch that outlives the request that wanted it. The caller
// holds k.mu.
func (k *Keys) begin() *flight {
	f := &flight{done: make(chan struct{})}
	k.flight = f
	ctx, cancel := context.WithTimeout(k.base, fetchTimeout)
	go func() {
		defer cancel()
		doc, err := k.download(ctx)
		var keys map[string]key
		if err == nil {
			keys, err = parseKeys(doc.body)
		}
		f.err, f.next = err, pause(doc.maxAge)
		var fresh *keySet
		if err == nil {
			fresh = k.replace(keys)
		}
		k.finish(f)
		if fresh != nil {
			k.save(fresh, doc.body)
		}
	}()
	return f
}

// finish opens the way for the next fetch and wakes the waiters.
func (k *Keys) finish(f *flight) {
	k.mu.Lock()
	k.flight = nil
	k.lastFail = f.err != nil
	now := k.now()
	warn := f.err != nil && now.Sub(k.warned) >= warnEvery
	if f.err != nil {
		k.found = time.Time{}
	}
	if warn {
		k.warned = now
	}
	k.mu.Unlock()
	close(f.done)
	if warn {
		k.logger.Load().Warn("cannot fetch the keys of the realm; the last good set serves up to 24 h",
			zap.String("realm", k.realm), zap.Duration("age", k.Age()), zap.Bool("ready", k.Ready()), zap.Error(f.err))
	}
}

// download gets the JWKS, and before it where it is.
func (k *Keys) download(ctx context.Context) (document, error) {
	k.mu.Lock()
	where, found := k.where, k.found
	k.mu.Unlock()
	if found.IsZero() || k.now().Sub(found) > rediscover {
		var err error
		if where, err = discover(ctx, k.client, k.realm); err != nil {
			return document{}, err
		}
		k.locate(where)
	}
	return fetch(ctx, k.client, where.jwksURI)
}

// locate remembers where the keys are, and says once what an issuer that calls
// itself otherwise needs in the configuration.
func (k *Keys) locate(where discovery) {
	k.mu.Lock()
	k.where, k.found = where, k.now()
	foreign := where.issuer != k.issuer && where.issuer != k.mismatch
	if foreign {
		k.mismatch = where.issuer
	}
	k.mu.Unlock()
	if foreign {
		k.logger.Load().Warn("the realm issues its tokens under another name than expected: they are refused until the line `issuer` names it",
			zap.String("realm", k.realm), zap.String("expected", k.issuer), zap.String("issuer", where.issuer))
	}
}

// replace puts a new set in the place of the old one; nothing is merged.
func (k *Keys) replace(keys map[string]key) *keySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	fresh := &keySet{keys: keys, fetched: k.now()}
	old := k.set.Swap(fresh)
	if old != nil && lost(old.keys, keys) {
		k.generation.Add(1)
	}
	clear(k.unknown)
	if len(keys) == 0 {
		k.logger.Load().Warn("the realm has no key that can verify tokens", zap.String("realm", k.realm))
	}
	return fresh
}

// save keeps the set unless a newer one has taken its place. A storage that
// fails costs only the next restart.
func (k *Keys) save(set *keySet, raw []byte) {
	k.saving.Lock()
	defer k.saving.Unlock()
	k.mu.Lock()
	keep := k.keep
	k.mu.Unlock()
	if keep == nil || k.set.Load() != set {
		return
	}
	b, err := encodeKept(k.realm, raw, set.fetched)
	if err == nil {
		err = keep.Save(b)
	}
	if err != nil {
		k.logger.Load().Warn("cannot keep the key set for a restart", zap.String("realm", k.realm), zap.Error(err))
	}
}

// restore takes the kept set where there is none yet.
func (k *Keys) restore() {
	k.mu.Lock()
	keep := k.keep
	k.mu.Unlock()
	if keep == nil || k.set.Load() != nil {
		return
	}
	b, err := keep.Load()
	if err != nil {
		return // nothing kept: the first fetch decides
	}
	set, err := decodeKept(b, k.realm)
	if err == nil && set.fetched.After(k.now()) {
		err = errors.New("it comes from the future")
	}
	if err != nil {
		k.logger.Load().Warn("the kept key set is of no use", zap.String("realm", k.realm), zap.Error(err))
		return
	}
	k.set.CompareAndSwap(nil, set)
}

// lost reports whether a key of old is gone or changed in fresh.
func lost(old, fresh map[string]key) bool {
	for kid, k := range old {
		if now, ok := fresh[kid]; !ok || !now.same(k) {
			return true
		}
	}
	return false
}

// pause is the time to the next refresh: shorter where the issuer says so.
func pause(maxAge time.Duration) time.Duration {
	if maxAge > 0 && maxAge < refreshEvery {
		return max(maxAge, minRefresh)
	}
	return jitter(refreshEvery, refreshJitter)
}

// jitter spreads d by the given share to both sides.
func jitter(d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*rand.Float64()-1))) //nolint:gosec // spreads load, hides nothing
}
