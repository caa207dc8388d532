package apierr

import (
	"fmt"
	"time"
)

// The refusals that are about who calls. base is the gateway's address for
// links; "" leaves the link out.

// TooManyAtOnce is row 4: the subject has as many requests running as its tier
// allows.
func TooManyAtOnce(tier string, limit int64) *Error {
	return &Error{
		Kind:       KindTooManyAtOnce,
		Message:    clip(fmt.Sprintf("%d requests of yours are running, the most that %s allows.", limit, word(tier, 64))),
		RetryAfter: 2 * time.Second,
	}
}

// unauthorized is a 401, which clients must not repeat: nothing changes until a
// person acts.
func unauthorized(kind Kind, message string) *Error {
	return &Error{Kind: kind, Message: clip(message), NoRetry: true}
}

// NoCredential is row 5.
func NoCredential(base string) *Error {
	return unauthorized(KindNoCredential,
		"No token in the request. Set ANTHROPIC_AUTH_TOKEN, or the API key of your client, to your subscription token"+
			linked("; how: ", base, "/", "."))
}

// Expired is row 6; ago is how long ago, as people say it ("12 min"), "" if
// unknown.
func Expired(ago, base string) *Error {
	text := "Your token expired."
	if ago != "" {
		text = "Your token expired " + word(ago, 40) + " ago."
	}
	return unauthorized(KindExpired, text+linked(" Sign in again: ", base, "/", " Sign in again."))
}

// NotVerifiable is row 7: signature, issuer, algorithm or form is not ours, or
// nobody has this token.
func NotVerifiable(base string) *Error {
	return unauthorized(KindNotVerifiable,
		"This token was not issued for this gateway."+linked(" Get one at ", base, "/", " Ask your administrator for one."))
}

// WrongAudience is row 8; aud is the token's audience and want the one that the
// gateway takes, each "" if unknown.
func WrongAudience(aud, want string) *Error {
	text := "This is a token for another application"
	if aud != "" {
		text += " (audience " + word(aud, 64) + ")"
	}
	if want == "" {
		return unauthorized(KindWrongAudience, text+". Ask for one that is issued for this gateway.")
	}
	return unauthorized(KindWrongAudience, text+". Ask for one with audience "+word(want, 64)+".")
}

// WrongClient is row 8 for a token of the right audience that a client got
// which is not on the list; azp is that client, "" if the token names none.
func WrongClient(azp string) *Error {
	if azp == "" {
		return unauthorized(KindWrongClient, "This token does not say which client it was issued to (azp). Get one from a client that the operator allows.")
	}
	azp = word(azp, 64)
	return unauthorized(KindWrongClient, "This token was issued to "+azp+", which may not call this gateway; the operator can allow it: clients "+azp)
}

// WrongType is row 8 for an ID, refresh or logout token; typ is its type.
func WrongType(typ string) *Error {
	return unauthorized(KindWrongType, "This is a token of type "+word(typ, 40)+". Send the access token instead.")
}

// ProviderKey is row 9.
func ProviderKey(base string) *Error {
	return unauthorized(KindProviderKey,
		"Provider keys (sk-...) are not taken here. Use your subscription token"+linked(": ", base, "/", "."))
}

// Revoked is row 10.
func Revoked() *Error {
	return unauthorized(KindRevoked, "This token was revoked. Sign in again, or ask your administrator.")
}

// ServiceAccount refuses a machine where only people may call.
func ServiceAccount() *Error {
	return unauthorized(KindServiceAccount,
		"This token belongs to a service account, and this gateway serves people. The operator can allow it: service_accounts allow")
}

// Disabled is row 11 for an account that is switched off or suspended.
func Disabled() *Error {
	return &Error{
		Kind:    KindDisabled,
		Message: "Your account is switched off on this gateway. Ask your administrator.",
		NoRetry: true,
	}
}

// NoTier is row 11 for an account without a plan.
func NoTier() *Error {
	return &Error{
		Kind:    KindNoTier,
		Message: "Your account has no plan on this gateway. Ask your administrator for one.",
		NoRetry: true,
	}
}

// AuthUnavailable is row 14: nobody could check the credential. Never a 401,
// which would sign people out.
func AuthUnavailable() *Error {
	return &Error{
		Kind:       KindAuthUnavailable,
		Message:    "The sign-in service cannot be reached. Your token may be fine; trying again helps.",
		RetryAfter: 5 * time.Second,
	}
}

// QuotaUnavailable is row 15: the store is away and the tier is closed without
// it.
func QuotaUnavailable(tier string) *Error {
	return &Error{
		Kind:       KindQuotaUnavailable,
		Message:    clip("The quota store cannot be reached, and " + word(tier, 64) + " does not run without it."),
		RetryAfter: 5 * time.Second,
	}
}
