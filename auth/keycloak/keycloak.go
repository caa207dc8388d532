// Package keycloak decides whether a Keycloak access token proves who calls,
// and on which tier.
//
// A token is checked in a fixed order, cheap first: form, header, key,
// signature, claims, tier. The signature is golang-jwt's; everything around it
// is ours, because the library accepts much that two readers read differently.
// Results are remembered by the hash of the whole token, for a minute at most.
//
// The package knows nothing of revocation (a token is good until it expires or
// its key goes away), of quotas or of HTTP answers.
package keycloak

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/llm-gateway/auth"
)

// Verifier verifies the access tokens of one realm. Safe for concurrent use.
type Verifier struct {
	config    Config
	anyClient bool
	tiers     tiers
	keys      *Keys
	now       func() time.Time
	cache     *cache
	workers   chan struct{} // signatures checked at once: a flood of bad ones must not take every core
}

// New returns a verifier over the keys of the realm. The error names the
// setting that is wrong.
func New(config Config, keys *Keys, now func() time.Time) (*Verifier, error) {
	c, err := config.complete()
	if err != nil {
		return nil, err
	}
	return &Verifier{
		config:    c,
		anyClient: slices.Equal(c.Clients, []string{AnyClient}),
		tiers:     tiers{sources: c.TierFrom, rank: c.Tiers, mapped: c.TierMap, fallback: c.DefaultTier, client: c.Audience},
		keys:      keys,
		now:       now,
		cache:     newCache(),
		workers:   make(chan struct{}, runtime.GOMAXPROCS(0)),
	}, nil
}

// Recognizes reports whether the token has three segments, as every signed JWT.
func (v *Verifier) Recognizes(token string) bool {
	return len(token) <= auth.MaxToken && strings.Count(token, ".") == 2
}

// TokenIssuer returns the `iss` of the tokens that this verifier accepts.
func (v *Verifier) TokenIssuer() string { return v.config.Issuer }

// KeysAge returns how old the key set is; 0 without one.
func (v *Verifier) KeysAge() time.Duration { return v.keys.Age() }

// Ready reports whether tokens can be verified now.
func (v *Verifier) Ready() bool { return v.keys.Ready() }

// Verify returns the principal of a token. Every error is an [*auth.Error].
func (v *Verifier) Verify(ctx context.Context, raw string) (*auth.Principal, error) {
	if len(raw) > auth.MaxToken {
		return nil, unverifiable(errors.New("longer than 16 KiB"))
	}
	id := digestOf(raw)
	now, generation := v.now(), v.keys.generation.Load()
	r, ok := v.cache.get(&id, now.UnixNano(), generation)
	if !ok {
		r = v.verify(ctx, raw, &id)
	}
	if r.refused != nil {
		return nil, r.refused
	}
	return r.principal, nil
}

// verify checks a token that is not in the cache, and remembers the result
// where it will be the same next time.
func (v *Verifier) verify(ctx context.Context, raw string, id *digest) result {
	t, err := parse(raw)
	if err != nil {
		return result{refused: unverifiable(err)}
	}
	if !slices.Contains(v.config.Algorithms, t.alg) {
		return result{refused: unverifiable(errors.New("alg is not on the list"))}
	}
	generation := v.keys.generation.Load()
	k, err := v.keys.find(ctx, t.kid)
	switch {
	case errors.Is(err, errUnknownKid):
		return result{refused: unverifiable(err)} // a rotation may bring the key any moment
	case err != nil:
		return result{refused: &auth.Error{Reason: auth.ReasonUnavailable, Cause: err}}
	case k.alg != t.alg:
		return result{refused: unverifiable(errors.New("alg is not that of the key"))}
	}
	select {
	case v.workers <- struct{}{}:
		defer func() { <-v.workers }()
	case <-ctx.Done():
		return result{refused: &auth.Error{Reason: auth.ReasonUnavailable, Cause: fmt.Errorf("wait to check a signature: %w", ctx.Err())}}
	}
	now := v.now()
	if r, ok := v.cache.get(id, now.UnixNano(), generation); ok {
		return r // the same token was checked while this one waited
	}
	r := v.judge(t, k, now)
	r.generation = generation
	if now.UnixNano() < r.until {
		v.cache.put(id, r)
	}
	return r
}

// judge checks signature and claims, and says how long the answer holds: never
// past the token's own end.
func (v *Verifier) judge(t token, k key, now time.Time) result {
	if err := methods[k.alg].Verify(t.signed, t.signature, k.public); err != nil {
		return result{refused: unverifiable(errors.New("signature does not match")), until: now.Add(badFor).UnixNano()}
	}
	principal, refused := v.admit(t.payload, now)
	if refused != nil {
		return result{refused: refused, until: now.Add(badFor).UnixNano()}
	}
	until := now.Add(goodFor)
	if principal.Expires.Before(until) {
		until = principal.Expires
	}
	return result{principal: principal, until: until.UnixNano()}
}
