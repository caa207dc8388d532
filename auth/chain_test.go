package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/auth"
)

// prefixed takes credentials that begin with its own name.
type prefixed string

func (p prefixed) Recognizes(token string) bool { return strings.HasPrefix(token, string(p)) }

func (p prefixed) Verify(context.Context, string) (*auth.Principal, error) {
	return &auth.Principal{ID: string(p)}, nil
}

// realm takes three segments of one issuer.
type realm string

func (r realm) Recognizes(token string) bool { return strings.Count(token, ".") == 2 }
func (r realm) TokenIssuer() string          { return string(r) }

func (r realm) Verify(context.Context, string) (*auth.Principal, error) {
	return &auth.Principal{ID: string(r)}, nil
}

// refusing recognises everything and likes nothing.
type refusing struct{}

func (refusing) Recognizes(string) bool { return true }

func (refusing) Verify(context.Context, string) (*auth.Principal, error) {
	return nil, &auth.Error{Reason: auth.ReasonExpired}
}

func signedBy(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestChainVerify(t *testing.T) {
	both := auth.Chain{prefixed("llmgw_u_"), realm("https://a"), realm("https://b")}
	for _, tc := range []struct {
		name   string
		chain  auth.Chain
		token  string
		want   string
		reason auth.Reason
	}{
		{name: "by prefix", chain: both, token: "llmgw_u_x", want: "llmgw_u_"},
		{name: "one realm needs no issuer", chain: auth.Chain{realm("https://a")}, token: signedBy(`{}`), want: "https://a"},
		{name: "issuer a", chain: both, token: signedBy(`{"iss":"https://a"}`), want: "https://a"},
		{name: "issuer b", chain: both, token: signedBy(`{"iss":"https://b"}`), want: "https://b"},
		{name: "issuer of nobody", chain: both, token: signedBy(`{"iss":"https://c"}`), reason: auth.ReasonUnverifiable},
		{name: "issuer given twice", chain: both, token: signedBy(`{"iss":"https://a","iss":"https://b"}`), reason: auth.ReasonUnverifiable},
		{name: "another case is another name", chain: both, token: signedBy(`{"ISS":"https://a"}`), reason: auth.ReasonUnverifiable},
		{name: "issuer is a list", chain: both, token: signedBy(`{"iss":["https://a"]}`), reason: auth.ReasonUnverifiable},
		{name: "payload is not base64url", chain: both, token: "e30.!.x", reason: auth.ReasonUnverifiable},
		{name: "two realms of one issuer", chain: auth.Chain{realm("https://a"), realm("https://a")}, token: signedBy(`{"iss":"https://a"}`), reason: auth.ReasonUnverifiable},
		{name: "unknown shape", chain: both, token: "hello", reason: auth.ReasonUnverifiable},
		{name: "nobody there", token: "hello", reason: auth.ReasonUnverifiable},
		{name: "a refusal is final", chain: auth.Chain{refusing{}}, token: "x", reason: auth.ReasonExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reversed := slices.Clone(tc.chain)
			slices.Reverse(reversed)
			for _, chain := range []auth.Chain{tc.chain, reversed} {
				got, err := chain.Verify(t.Context(), tc.token)
				if tc.reason == "" {
					if err != nil || got.ID != tc.want {
						t.Errorf("Verify = %+v, %v; want %s", got, err, tc.want)
					}
					continue
				}
				var refused *auth.Error
				if !errors.As(err, &refused) || refused.Reason != tc.reason {
					t.Errorf("Verify = %+v, %v; want %s", got, err, tc.reason)
				}
			}
		})
	}
}
