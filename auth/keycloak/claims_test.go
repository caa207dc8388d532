package keycloak_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/keycloak"
	"github.com/openova-io/llm-gateway/auth/keycloak/attacktest"
)

// with changes the claims or the header of the good token.
func with(name string, value any) map[string]any { return map[string]any{name: value} }

// The rules of the order of checks, beside what the file of attacks tries: each
// row changes one thing of a good token, signed by the right key.
func TestRules(t *testing.T) {
	lab, err := attacktest.NewLab(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.Close() })
	suite, err := attacktest.Parse(testdata(t, "jwt-attacks.json"))
	if err != nil {
		t.Fatal(err)
	}
	clock := clockAt(time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC))
	keys := keycloak.NewKeys(lab.Issuer, lab.Issuer, clock.now, zap.NewNop(), nil)
	v, err := keycloak.New(keycloak.Config{Issuer: lab.Issuer, Tiers: tiers}, keys, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	const bad = auth.ReasonUnverifiable
	for _, tc := range []struct {
		name           string
		header, claims map[string]any
		sign           *attacktest.Sign
		mutate         []string
		want           auth.Reason
	}{
		{name: "header: x5t and cty are harmless", header: map[string]any{"x5t": "a", "x5t#S256": "b", "cty": "JWT"}},
		{name: "header: without typ", header: with("typ", nil)},
		{name: "header: b64", header: with("b64", false), want: bad},
		{name: "header: zip", header: with("zip", "DEF"), want: bad},
		{name: "header: enc", header: with("enc", "A128GCM"), want: bad},
		{name: "header: jku", header: with("jku", "@listener"), want: bad},
		{name: "header: x5c", header: with("x5c", []any{"AAAA"}), want: bad},
		{name: "header: ALG beside alg", header: with("ALG", "none"), want: bad},
		{name: "header: typ of a logout token", header: with("typ", "logout+jwt"), want: bad},
		{name: "header: typ in another case", header: with("typ", "jwt"), want: bad},
		{name: "header: typ is null", header: with("typ", "@null"), want: bad},
		{name: "header: kid is a number", header: with("kid", "@num:1"), want: bad},
		{name: "header: no kid", header: with("kid", nil), want: bad},
		{name: "header: empty kid", header: with("kid", ""), want: bad},
		{name: "header: kid of 129 bytes", header: with("kid", "@A*129"), want: bad},
		{name: "header: kid of an encryption key", header: with("kid", "rsa-enc"), sign: &attacktest.Sign{Key: "rsa-enc", Alg: "RS256"}, want: bad},
		{name: "header: alg in another case", header: with("alg", "rs256"), want: bad},
		{name: "header: EdDSA for an RSA key", header: with("alg", "EdDSA"), want: bad},
		{name: "ASN.1 signature for ES256", header: map[string]any{"alg": "ES256", "kid": "ec-current"}, sign: &attacktest.Sign{Key: "ec-current", Der: true}, want: bad},
		{name: "zeros for ES256", header: map[string]any{"alg": "ES256", "kid": "ec-current"}, sign: &attacktest.Sign{Key: "zeros", Len: 64}, want: bad},
		{name: "zeros for EdDSA", header: map[string]any{"alg": "EdDSA", "kid": "ed-current"}, sign: &attacktest.Sign{Key: "zeros", Len: 64}, want: bad},
		{name: "HS256 keyed with PEM", header: with("alg", "HS256"), sign: &attacktest.Sign{HMAC: "pem-pkix", Of: "rsa-current"}, want: bad},
		{name: "a key that was published once", sign: &attacktest.Sign{Key: "rsa-retired"}, want: bad},
		{name: "the realm's other key", sign: &attacktest.Sign{Key: "rsa-next"}, want: bad},
		{name: "padding", mutate: []string{"padding"}, want: bad},
		{name: "line end behind it", mutate: []string{"newline"}, want: bad},
		{name: "loose tail bits", mutate: []string{"tail-bits"}, want: bad},

		{name: "exp as text", claims: with("exp", "@str:1795470000"), want: bad},
		{name: "exp null", claims: with("exp", "@null"), want: bad},
		{name: "exp with a fraction", claims: with("exp", "@num:1795470000.5")},
		{name: "exp beyond floats", claims: with("exp", "@num:1e999"), want: bad},
		{name: "exp in the year 300000", claims: with("exp", "@num:9e12"), want: bad},
		{name: "expired at the end of the leeway", claims: with("exp", "now-30"), want: auth.ReasonExpired},
		{name: "one second before", claims: with("exp", "now-29")},
		{name: "no iat", claims: with("iat", nil), want: bad},
		{name: "iat at the end of the leeway", claims: with("iat", "now+30")},
		{name: "iat one second later", claims: with("iat", "now+31"), want: bad},
		{name: "24 h of life", claims: with("exp", "now+86400")},
		{name: "one second more", claims: with("exp", "now+86401"), want: bad},
		{name: "nbf in the past", claims: with("nbf", "now-5")},
		{name: "nbf as text", claims: with("nbf", "@str:0"), want: bad},

		{name: "no iss", claims: with("iss", nil), want: bad},
		{name: "iss with a slash", claims: with("iss", "@issuer/"), want: bad},
		{name: "iss is a list", claims: with("iss", []any{"@issuer"}), want: bad},
		{name: "no aud", claims: with("aud", nil), want: auth.ReasonAudience},
		{name: "aud is empty", claims: with("aud", []any{}), want: auth.ReasonAudience},
		{name: "aud in another case", claims: with("aud", "LLM-Gateway"), want: auth.ReasonAudience},
		{name: "a number beside our aud", claims: with("aud", []any{"llm-gateway", 1}), want: bad},
		{name: "aud inside a list", claims: with("aud", []any{[]any{"llm-gateway"}}), want: bad},
		{name: "azp of another client", claims: with("azp", "other-app"), want: auth.ReasonClient},
		{name: "azp is a list", claims: with("azp", []any{"claude-cli"}), want: bad},
		{name: "typ of a refresh token", claims: with("typ", "Refresh"), want: auth.ReasonType},
		{name: "typ in another case", claims: with("typ", "bearer"), want: auth.ReasonType},
		{name: "bound to a key", claims: with("cnf", map[string]any{"jkt": "x"}), want: bad},
		{name: "cnf is null", claims: with("cnf", "@null"), want: bad},

		{name: "no sub", claims: with("sub", nil), want: bad},
		{name: "sub is empty", claims: with("sub", ""), want: bad},
		{name: "sub is a number", claims: with("sub", "@num:1"), want: bad},
		{name: "sub is a list", claims: with("sub", []any{"a"}), want: bad},
		{name: "sub of 255 bytes", claims: with("sub", "@A*255")},
		{name: "sub of 256 bytes", claims: with("sub", "@A*256"), want: bad},
		{name: "sub with a zero byte", claims: with("sub", "a\x00b"), want: bad},
		{name: "sub with a blank", claims: with("sub", "a b"), want: bad},
		{name: "sub turned around", claims: with("sub", "a\u202eb"), want: bad},
		{name: "sub with a hidden character", claims: with("sub", "a\u200bb"), want: bad},
		{name: "sub with a line separator", claims: with("sub", "a\u2028b"), want: bad},
		{name: "sub of a federated user", claims: with("sub", "f:9c3e:jörg*{x}")},

		{name: "service account by its name", claims: with("preferred_username", "service-account-x"), want: auth.ReasonService},
		{name: "service account by its client", claims: with("client_id", "x"), want: auth.ReasonService},
		{name: "no tier", claims: with("subscription_tier", nil), want: auth.ReasonNoTier},
		{name: "a name with control characters is dropped", claims: with("preferred_username", "a\nb")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock.pass(11 * time.Second) // each row may ask for an unknown kid
			attempt, err := lab.Attempt(suite, attacktest.Case{Header: tc.header, Claims: tc.claims, Sign: tc.sign, Mutate: tc.mutate}, clock.now())
			if err != nil {
				t.Fatal(err)
			}
			p, err := v.Verify(t.Context(), attempt.Token)
			if reasonOf(err) != tc.want || err == nil && p.ID != attempt.Sub {
				t.Fatalf("Verify = %+v, %v; want %q", p, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), attempt.Token[:40]) {
				t.Error("the error repeats the token")
			}
			if err == nil && strings.Contains(p.Username, "\n") {
				t.Errorf("username %q", p.Username)
			}
		})
	}
	if lab.Called() != 0 {
		t.Errorf("the listener was called %d times", lab.Called())
	}
}
