// Package users decides whether a token of the users file proves who calls. It
// is the verifier for a gateway without an identity provider.
//
// The file holds hashes of tokens, never tokens. It is watched: a change holds
// within a second, and a file that is broken leaves the last good one in force.
//
// The package knows nothing of quotas or of HTTP answers.
package users

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth"
)

// issuer stands for the users file in subjects. It is not the path: a file that
// moves keeps everybody's quota.
const issuer = "users"

// Verifier verifies the tokens of one users file. Safe for concurrent use.
type Verifier struct {
	path    string
	tiers   []string
	now     func() time.Time
	logger  *zap.Logger
	records atomic.Pointer[map[[sha256.Size]byte]record]
	watch   watch
}

// record is what a token comes to.
type record struct {
	principal *auth.Principal
	refused   *auth.Error // disabled, or of a tier that the site does not have
}

// errTypo and errUnknown are the same for every token.
var (
	errTypo    = &auth.Error{Reason: auth.ReasonMalformed, Cause: errors.New("the token's length or checksum is wrong: a part of it was lost or mistyped")}
	errUnknown = &auth.Error{Reason: auth.ReasonUnknown}
	errUnread  = &auth.Error{Reason: auth.ReasonUnavailable, Cause: errors.New("the users file was not read yet")}
)

// New returns a verifier of the file at path for a site. It does no I/O: Start
// reads the file.
func New(path string, site auth.Site) *Verifier {
	return &Verifier{path: path, tiers: site.Tiers, now: site.Now, logger: site.Logger}
}

// Recognizes reports whether the token begins as ours do.
func (v *Verifier) Recognizes(token string) bool { return strings.HasPrefix(token, prefix) }

// Verify returns the principal of a token. Every error is an [*auth.Error].
func (v *Verifier) Verify(_ context.Context, token string) (*auth.Principal, error) {
	records := v.records.Load()
	if records == nil {
		return nil, errUnread
	}
	if !Checksum(token) {
		return nil, errTypo
	}
	r, ok := (*records)[sha256.Sum256([]byte(token))]
	switch {
	case !ok:
		return nil, errUnknown
	case r.refused != nil:
		return nil, r.refused
	}
	if end := r.principal.Expires; !end.IsZero() {
		if now := v.now(); !now.Before(end) {
			return nil, &auth.Error{Reason: auth.ReasonExpired, Detail: auth.Ago(now.Sub(end))}
		}
	}
	return r.principal, nil
}

// load puts a file into force.
func (v *Verifier) load(f *File) {
	records := make(map[[sha256.Size]byte]record)
	for _, u := range f.Users {
		var refused *auth.Error
		switch {
		case u.Disabled:
			refused = &auth.Error{Reason: auth.ReasonDisabled}
		case !slices.Contains(v.tiers, u.Tier):
			refused = &auth.Error{Reason: auth.ReasonNoTier}
			v.logger.Warn("a user has a tier that this site does not have and is refused",
				zap.String("user", u.Name), zap.String("tier", u.Tier), zap.Strings("known", v.tiers))
		}
		for _, t := range u.Tokens {
			var id [sha256.Size]byte
			_, _ = hex.Decode(id[:], []byte(t.SHA256)) // checked when the file was read
			records[id] = record{refused: refused, principal: &auth.Principal{
				Subject: auth.SubjectOf(issuer, u.Name), ID: u.Name, Username: u.Name, Tier: u.Tier,
				Kind: auth.KindUsers, Session: t.SHA256, Expires: t.Expires,
			}}
		}
	}
	v.records.Store(&records)
}
