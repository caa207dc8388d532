// Package auth turns the credential of a request into a principal: who calls,
// on which tier, until when.
//
// It holds the types that verifiers share. Each kind of credential has a
// verifier in a package of its own (auth/keycloak, auth/users); which one is
// asked is decided by the credential's shape alone, and a refusal is never
// tried again elsewhere.
//
// The package knows nothing of quotas, models or HTTP answers: a refusal is an
// [Error] with a [Reason], and the caller words it.
package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"go.uber.org/zap"
)

// Principal is who calls, as a verifier established it. Principals are shared
// between requests and must not be changed.
type Principal struct {
	// Subject is the key of this person in store, log and ledger: 32 hex
	// digits made by [SubjectOf]. It never changes for the same issuer and id.
	Subject string

	// ID is the issuer's own name for the person (Keycloak: sub; users file:
	// the name). It labels the user series of the metrics.
	ID string

	// Username is what people call themselves; empty where the credential does
	// not say.
	Username string

	// Tier is a configured tier, never empty.
	Tier string

	// Kind is the verifier that answered.
	Kind Kind

	// Session identifies the sign-in that the credential belongs to
	// (Keycloak: sid; users: the hash of the token). Empty if unknown.
	Session string

	// IssuedAt is when the credential was issued; zero if unknown.
	IssuedAt time.Time

	// Expires is when the credential ends; zero means never.
	Expires time.Time
}

// Kind names a verifier.
type Kind string

// The verifiers that exist.
const (
	KindKeycloak Kind = "keycloak"
	KindUsers    Kind = "users"
)

// Verifier checks one kind of credential.
type Verifier interface {
	// Recognizes reports whether the token has the shape of this verifier's
	// credentials. It does no I/O and no cryptography.
	Recognizes(token string) bool

	// Verify returns the principal of a token that Recognizes accepted. Every
	// error is an [*Error]. The result is shared: callers must not change it.
	Verify(ctx context.Context, token string) (*Principal, error)
}

// Site is what a guest learns about the handler that it serves.
type Site struct {
	// Tiers are the configured tiers in file order: of several, the one that
	// stands last wins.
	Tiers []string
	// Logger takes what operators should know. Never nil.
	Logger *zap.Logger
	// Now is the clock. Never nil.
	Now func() time.Time
}

// Guest is a verifier as the handler owns it. The handler calls Bind once
// while it is provisioned, the app calls Start and Stop once each.
type Guest interface {
	Verifier

	// Bind checks the guest's own settings against the site. It does no I/O
	// and fails where they name a tier that the site does not have.
	Bind(site Site) error

	// Start begins background work. It fails only on what no later retry
	// could heal (a file that does not exist), never on an issuer that is down.
	Start() error

	// Stop ends what Start began. It is harmless without a Start.
	Stop() error
}

// Reason says why a credential was refused, in words that both error dialects
// and the log can express.
type Reason string

// The reasons. All but ReasonUnavailable, ReasonDisabled and ReasonNoTier mean
// that the credential itself is of no use (401).
const (
	// ReasonMissing: the request carries no credential.
	ReasonMissing Reason = "no_token"
	// ReasonMalformed: not one credential in the one accepted form.
	ReasonMalformed Reason = "malformed"
	// ReasonForeignKey: the key of a model provider (sk-…) or another product.
	ReasonForeignKey Reason = "provider_key"
	// ReasonExpired: it was good once. Detail: how long ago, as people say it.
	ReasonExpired Reason = "expired"
	// ReasonUnverifiable: signature, issuer, algorithm or form is not ours.
	ReasonUnverifiable Reason = "bad_signature"
	// ReasonAudience: issued for another application. Detail: the audience.
	ReasonAudience Reason = "wrong_audience"
	// ReasonClient: issued to a client that is not on the list. Detail: its id.
	ReasonClient Reason = "wrong_client"
	// ReasonType: an ID, refresh or logout token. Detail: its type.
	ReasonType Reason = "wrong_type"
	// ReasonUnknown: the right shape, but nobody has it.
	ReasonUnknown Reason = "unknown"
	// ReasonDisabled: the person exists and is switched off.
	ReasonDisabled Reason = "disabled"
	// ReasonNoTier: the person has no tier that this gateway knows.
	ReasonNoTier Reason = "no_tier"
	// ReasonService: a service account where only people may call.
	ReasonService Reason = "service_account"
	// ReasonUnavailable: nobody could be asked (503, never 401).
	ReasonUnavailable Reason = "auth_unavailable"
)

// Error is a refused credential.
type Error struct {
	Reason Reason
	// Detail is the one fact that the person needs, as named at the reason. It
	// is safe to send: a word from a verified token or from configuration,
	// never any part of a credential.
	Detail string
	// Want is what would have been right, where the reason has such a word:
	// the audience of this gateway. From configuration; safe to send.
	Want string
	// Cause is for the log only.
	Cause error
}

// Error returns reason, detail and cause: a line for the log, not for clients.
func (e *Error) Error() string {
	s := "credential refused: " + string(e.Reason)
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// SubjectOf returns the subject of a person: the first 128 bits of
// SHA-256(issuer "\n" id) in hex. The fixed length keeps store keys free of
// anything that a token could smuggle in.
func SubjectOf(issuer, id string) string {
	sum := sha256.Sum256([]byte(issuer + "\n" + id))
	return hex.EncodeToString(sum[:16])
}
