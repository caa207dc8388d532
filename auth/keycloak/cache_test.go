package keycloak_test

import (
	"encoding/base64"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth/keycloak"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// hot returns a verifier whose cache holds the token.
func hot(tb testing.TB) (*keycloak.Verifier, string) {
	tb.Helper()
	keep := new(memory)
	server := testdata(tb, "jwks.json")
	kept, err := keycloak.EncodeKept("http://127.0.0.1:1", server, recordedAt)
	if err != nil {
		tb.Fatal(err)
	}
	_ = keep.Save(kept)
	clock := clockAt(recordedAt)
	keys := keycloak.NewKeys("http://127.0.0.1:1", recordedIssuer, clock.now, zap.NewNop(), keep)
	keys.Start()
	tb.Cleanup(keys.Stop)
	v, err := keycloak.New(keycloak.Config{Issuer: recordedIssuer, Clients: recordedClients, Tiers: tiers}, keys, clock.now)
	if err != nil {
		tb.Fatal(err)
	}
	token := recordedTokens(tb)["access-pro"]
	if _, err := v.Verify(tb.Context(), token); err != nil {
		tb.Fatal(err)
	}
	return v, token
}

func TestCacheHitAllocates(t *testing.T) {
	v, token := hot(t)
	if n := testing.AllocsPerRun(200, func() { _, _ = v.Verify(t.Context(), token) }); n > 0 {
		t.Errorf("a cache hit allocates %v times; want 0", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	b.Run("hit", func(b *testing.B) {
		v, token := hot(b)
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = v.Verify(ctx, token)
		}
	})
	b.Run("hit parallel", func(b *testing.B) {
		v, token := hot(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = v.Verify(b.Context(), token)
			}
		})
	})
}

// A result serves for a minute and never past the token's own end.
func TestCacheNeverStretchesAToken(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := clockAt(time.Unix(1795459141-10, 0)) // ten seconds before exp
	v := verifierOver(t, newKeys(realm.URL, clock, nil), clock)
	token := recordedTokens(t)["access-pro"]
	expect(t, v, token, "pro")
	clock.pass(39 * time.Second)
	expect(t, v, token, "pro") // inside the leeway, checked again
	clock.pass(2 * time.Second)
	expect(t, v, token, "expired")
}

// A refusal is remembered for seconds: a token that becomes good is let in.
func TestRefusalsAreForgotten(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := clockAt(time.Unix(1795458841-33, 0)) // 3 s before iat minus leeway
	v := verifierOver(t, newKeys(realm.URL, clock, nil), clock)
	token := recordedTokens(t)["access-pro"]
	expect(t, v, token, "bad_signature")
	clock.pass(4 * time.Second)
	expect(t, v, token, "bad_signature") // remembered
	clock.pass(2 * time.Second)
	expect(t, v, token, "pro")
}
