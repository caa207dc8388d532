package keycloak_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/keycloak"
)

const recordedIssuer = "http://127.0.0.1:8180/realms/ai-hub"

// recordedClients are all that the recordings were made with but other-app.
var recordedClients = []string{"llm-test-ropc", "claude-cli", "llm-test-es256", "llm-test-eddsa", "llm-test-lightweight", "llm-batch"}

// recordedAt lies between iat and exp of the recorded tokens.
var recordedAt = time.Unix(1795458900, 0)

// realmServer is a realm of the test's own: a discovery document and a JWKS
// that can be swapped, delayed or broken.
type realmServer struct {
	*httptest.Server
	jwks   atomic.Pointer[[]byte]
	status atomic.Int32
	hits   atomic.Int32 // of the JWKS
	issuer string
}

func serveRealm(t *testing.T, issuer string, jwks []byte) *realmServer {
	t.Helper()
	r := &realmServer{issuer: issuer}
	r.status.Store(http.StatusOK)
	r.jwks.Store(&jwks)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if r.refuse(w) {
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": r.issuer, "jwks_uri": r.URL + "/certs"})
	})
	mux.HandleFunc("/certs", func(w http.ResponseWriter, _ *http.Request) {
		r.hits.Add(1)
		if r.refuse(w) {
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(*r.jwks.Load())
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

func (r *realmServer) refuse(w http.ResponseWriter) bool {
	if status := int(r.status.Load()); status != http.StatusOK {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("Bootstrap in progress. Retry in 1 seconds."))
		return true
	}
	return false
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func recordedTokens(t testing.TB) map[string]string {
	t.Helper()
	var file struct {
		Tokens map[string]string `json:"tokens"`
	}
	if err := json.Unmarshal(testdata(t, "signed.json"), &file); err != nil {
		t.Fatal(err)
	}
	return file.Tokens
}

func reasonOf(err error) auth.Reason {
	var refused *auth.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

// Tokens that a real Keycloak signed, with the clock set to their life.
func TestRecordedTokens(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks-rotated-both.json"))
	clock := func() time.Time { return recordedAt }
	keys := keycloak.NewKeys(realm.URL, recordedIssuer, clock, zap.NewNop(), nil)
	keys.Start()
	t.Cleanup(keys.Stop)
	config := keycloak.Config{Issuer: recordedIssuer, Clients: recordedClients, Tiers: tiers}
	verifier, err := keycloak.New(config, keys, clock)
	if err != nil {
		t.Fatal(err)
	}
	tokens := recordedTokens(t)
	want := map[string]string{ // tier, or the reason of the refusal
		"access-free": "free", "access-pro": "pro", "access-enterprise": "enterprise",
		"access-es256": "pro", "access-eddsa": "pro", "access-at-jwt": "pro",
		"access-device-flow": "pro", "access-grouponly": "pro", "access-twogroups": "enterprise",
		"access-offline-session": "enterprise", "access-pro-after-refresh": "pro", "access-pro-rotated-key": "pro",
		"access-notier": "no_tier", "access-other-app": "wrong_audience",
		"access-other-app-with-our-aud": "wrong_client", "access-service-account": "service_account",
		"access-lightweight": "bad_signature", "id-token-pro": "wrong_audience", "logout-token": "bad_signature",
		"refresh-token-pro": "bad_signature", "offline-token": "bad_signature",
	}
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			p, err := verifier.Verify(t.Context(), token)
			got := string(reasonOf(err))
			if err == nil {
				got = p.Tier
			}
			if got != want[name] {
				t.Errorf("Verify = %+v, %v; want %s", p, err, want[name])
			}
		})
	}
	if len(tokens) < 19 {
		t.Errorf("only %d recorded tokens", len(tokens))
	}
}

func TestRecordedPrincipal(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := func() time.Time { return recordedAt }
	keys := keycloak.NewKeys(realm.URL, recordedIssuer, clock, zap.NewNop(), nil)
	verifier, err := keycloak.New(keycloak.Config{Issuer: recordedIssuer, Clients: recordedClients, Tiers: tiers}, keys, clock)
	if err != nil {
		t.Fatal(err)
	}
	token := recordedTokens(t)["access-pro"]
	p, err := verifier.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Principal{
		Subject: auth.SubjectOf(recordedIssuer, "5e1902cf-91db-4ea3-bfeb-8ff53ec7af39"), ID: "5e1902cf-91db-4ea3-bfeb-8ff53ec7af39",
		Username: "bob", Tier: "pro", Kind: auth.KindKeycloak, Session: "H-oLj6KuSnImOvSIJwiJz3tn",
		IssuedAt: time.Unix(1795458841, 0), Expires: time.Unix(1795459141, 0),
	}
	if *p != want {
		t.Errorf("Verify = %+v; want %+v", *p, want)
	}
	if again, _ := verifier.Verify(t.Context(), token); again != p {
		t.Error("the second Verify did not come from the cache")
	}
	if _, err := verifier.Verify(t.Context(), token[:len(token)-8]+"AAAAAAAA"); err == nil || strings.Contains(err.Error(), token[:20]) {
		t.Errorf("another signature: %v; want a refusal without the token", err)
	}
}

// One accepted token, one setting at a time.
func TestSettings(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	tokens := recordedTokens(t)
	for _, tc := range []struct {
		name, token string
		change      func(*keycloak.Config)
		after       time.Duration
		want        string
		detail      string
	}{
		{name: "expired", token: "access-pro", after: 17 * time.Minute, want: "expired", detail: "12 min ago"},
		{name: "inside the leeway", token: "access-pro", after: 265 * time.Second, want: "pro"},
		{name: "not_before after it", token: "access-pro", change: func(c *keycloak.Config) { c.NotBefore = recordedAt }, want: "expired", detail: "just now"},
		{name: "not_before before it", token: "access-pro", change: func(c *keycloak.Config) { c.NotBefore = recordedAt.Add(-time.Hour) }, want: "pro"},
		{name: "algorithm off the list", token: "access-es256", change: func(c *keycloak.Config) { c.Algorithms = []string{"RS256"} }, want: "bad_signature"},
		{name: "another issuer", token: "access-pro", change: func(c *keycloak.Config) { c.Issuer = recordedIssuer + "2" }, want: "bad_signature"},
		{name: "another audience", token: "access-pro", change: func(c *keycloak.Config) { c.Audience = "else" }, want: "wrong_audience", detail: "llm-gateway, account"},
		{name: "client off the list", token: "access-pro", change: func(c *keycloak.Config) { c.Clients = nil }, want: "wrong_client", detail: "llm-test-ropc"},
		{name: "any client", token: "access-pro", change: func(c *keycloak.Config) { c.Clients = []string{"any"} }, want: "pro"},
		{name: "a service account allowed", token: "access-service-account", change: func(c *keycloak.Config) { c.ServiceAccounts = true }, want: "enterprise"},
		{name: "default tier", token: "access-notier", change: func(c *keycloak.Config) { c.DefaultTier = "free" }, want: "free"},
		{name: "an ID token whose audience we took", token: "id-token-pro", change: func(c *keycloak.Config) { c.Audience = "llm-test-ropc" }, want: "wrong_type", detail: "ID"},
		{name: "roles only", token: "access-grouponly", change: func(c *keycloak.Config) {
			c.TierFrom = []keycloak.TierSource{{From: keycloak.FromRole, Match: "tier-*"}}
		}, want: "pro"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := func() time.Time { return recordedAt.Add(tc.after) }
			config := keycloak.Config{Issuer: recordedIssuer, Clients: recordedClients, Tiers: tiers}
			if tc.change != nil {
				tc.change(&config)
			}
			verifier, err := keycloak.New(config, keycloak.NewKeys(realm.URL, config.Issuer, clock, zap.NewNop(), nil), clock)
			if err != nil {
				t.Fatal(err)
			}
			p, err := verifier.Verify(t.Context(), tokens[tc.token])
			got := string(reasonOf(err))
			if err == nil {
				got = p.Tier
			}
			if got != tc.want {
				t.Fatalf("Verify = %+v, %v; want %s", p, err, tc.want)
			}
			var refused *auth.Error
			if errors.As(err, &refused) && refused.Detail != tc.detail {
				t.Errorf("detail %q; want %q", refused.Detail, tc.detail)
			}
		})
	}
}
