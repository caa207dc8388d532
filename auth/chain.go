package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
)

// Chain is the verifiers that stand side by side. The shape of a credential
// decides which one is asked; a refusal is final. The order has no meaning.
type Chain []Verifier

// issuing is a verifier of tokens that name their issuer. Several of them
// recognise the same shape and are told apart by that name.
type issuing interface {
	// TokenIssuer returns the `iss` of the tokens that this verifier accepts.
	TokenIssuer() string
}

var (
	errShape  = &Error{Reason: ReasonUnverifiable, Cause: errors.New("no verifier takes a credential of this shape")}
	errIssuer = &Error{Reason: ReasonUnverifiable, Cause: errors.New("no verifier, or more than one, takes tokens of this issuer")}
)

// Verify returns the principal of a token. Every error is an [*Error].
func (c Chain) Verify(ctx context.Context, token string) (*Principal, error) {
	var chosen Verifier
	for _, v := range c {
		if !v.Recognizes(token) {
			continue
		}
		if chosen != nil {
			return c.verifyByIssuer(ctx, token)
		}
		chosen = v
	}
	if chosen == nil {
		return nil, errShape
	}
	return chosen.Verify(ctx, token)
}

// verifyByIssuer asks the verifier of the issuer that the token claims. The
// claim is not verified yet, and need not be: that verifier checks it.
func (c Chain) verifyByIssuer(ctx context.Context, token string) (*Principal, error) {
	claimed := claimedIssuer(token)
	if claimed == "" {
		return nil, errIssuer
	}
	var chosen Verifier
	for _, v := range c {
		i, ok := v.(issuing)
		if !ok || i.TokenIssuer() != claimed || !v.Recognizes(token) {
			continue
		}
		if chosen != nil {
			return nil, errIssuer
		}
		chosen = v
	}
	if chosen == nil {
		return nil, errIssuer
	}
	return chosen.Verify(ctx, token)
}

// claimedIssuer reads `iss` as strictly as a verifier would, so that both see
// the same name; empty where there is none.
func claimedIssuer(token string) string {
	if len(token) > MaxToken {
		return ""
	}
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil {
		return ""
	}
	claims, err := strictjson.Object(raw, strictjson.MaxDepth)
	if err != nil {
		return ""
	}
	iss, _ := claims["iss"].(string)
	return iss
}
