//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// keyProvider is a component of the realm that makes keys.
type keyProvider struct {
	ID         string              `json:"id,omitempty"`
	Name       string              `json:"name"`
	ProviderID string              `json:"providerId"`
	Type       string              `json:"providerType"`
	ParentID   string              `json:"parentId"`
	Config     map[string][]string `json:"config"`
}

// A key that Keycloak has just made is used at once; one that it took back is
// trusted no longer than until the next look.
func testRotation(t *testing.T, s *realmSite, g *harness.Gateway) {
	before := s.mint(t, "llm-test-ropc", "bob")
	if a := ask(t, g.URL, before, "[[sim say ok]]"); a.status != http.StatusOK {
		t.Fatalf("with the first key: %d %s", a.status, a.body)
	}
	old := addKey(t, s.keycloak)
	after := s.mint(t, "llm-test-ropc", "bob")
	if head(before) == head(after) {
		t.Fatal("Keycloak still signs with the old key")
	}
	start := time.Now()
	if a := ask(t, g.URL, after, "[[sim say ok]]"); a.status != http.StatusOK {
		t.Errorf("with a new key: %d %s, want an answer at once", a.status, a.body)
	}
	t.Logf("the first request with a new key took %d ms", time.Since(start).Milliseconds())
	if a := ask(t, g.URL, before, "[[sim say ok]]"); a.status != http.StatusOK {
		t.Errorf("the old key, still published: %d %s, want an answer", a.status, a.body)
	}

	old.Config["enabled"] = []string{"false"}
	if err := s.keycloak.Admin(http.MethodPut, "/components/"+old.ID, old, nil); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	harness.Poll(t, 45*time.Second, "the gateway to forget a key that was disabled", func() error {
		// A key id that nobody knows makes the gateway look at the key set,
		// which it does at most every ten seconds.
		if a := ask(t, g.URL, withUnknownKey(after, time.Now()), "x"); a.status != http.StatusUnauthorized {
			return fmt.Errorf("an unknown key id: %d %s, want 401", a.status, a.body)
		}
		if a := ask(t, g.URL, before, "[[sim say ok]]"); a.status != http.StatusUnauthorized {
			return fmt.Errorf("the disabled key: %d, want 401", a.status)
		}
		return nil
	})
	t.Logf("a disabled key was refused after %.0f s", time.Since(start).Seconds())
	if a := ask(t, g.URL, after, "[[sim say ok]]"); a.status != http.StatusOK {
		t.Errorf("the new key after that: %d %s, want an answer", a.status, a.body)
	}
}

// addKey adds a key that the realm prefers and returns the provider of the one
// that it used before.
func addKey(t *testing.T, k *harness.Keycloak) (old keyProvider) {
	t.Helper()
	var providers []keyProvider
	if err := k.Admin(http.MethodGet, "/components?type=org.keycloak.keys.KeyProvider", nil, &providers); err != nil {
		t.Fatal(err)
	}
	for _, p := range providers {
		if p.Name == "rsa-generated" {
			old = p
		}
	}
	if old.ID == "" {
		t.Fatalf("the realm has no key rsa-generated: %+v", providers)
	}
	fresh := keyProvider{Name: "rsa-2", ProviderID: "rsa-generated", Type: old.Type, ParentID: old.ParentID, Config: map[string][]string{
		"priority": {"200"}, "enabled": {"true"}, "active": {"true"}, "algorithm": {"RS256"}, "keySize": {"2048"},
	}}
	if err := k.Admin(http.MethodPost, "/components", fresh, nil); err != nil {
		t.Fatal(err)
	}
	return old
}

// head is the token's header, which names its key.
func head(token string) string {
	first, _, _ := strings.Cut(token, ".")
	return first
}

// withUnknownKey is a token whose header names a key that nobody has.
func withUnknownKey(token string, now time.Time) string {
	header := fmt.Sprintf(`{"alg":"RS256","typ":"JWT","kid":"unknown-%d"}`, now.UnixNano())
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
}

// Keycloak away is no reason to sign people out: what can be checked is, and
// what cannot is 503.
func testOutage(t *testing.T, s *realmSite, g *harness.Gateway) {
	bob, carol := s.mint(t, "llm-test-ropc", "bob"), s.mint(t, "llm-test-ropc", "carol")
	s.keycloak.Stop()
	for name, token := range map[string]string{"bob": bob, "carol": carol} {
		if a := ask(t, g.URL, token, "[[sim say ok]]"); a.status != http.StatusOK {
			t.Errorf("%s with the keys at hand: %d %s, want an answer", name, a.status, a.body)
		}
	}
	g = g.Restart()
	if a := ask(t, g.URL, bob, "[[sim say ok]]"); a.status != http.StatusOK {
		t.Errorf("after a restart with the kept keys: %d %s, want an answer", a.status, a.body)
	}
	fresh := harness.StartGateway(t, harness.Site{Block: s.block("")})
	a := ask(t, fresh.URL, bob, "[[sim say ok]]")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "5" || !strings.Contains(a.body, "sign-in service cannot be reached") {
		t.Errorf("a gateway that never saw the keys: %d, retry-after %q, %s; want 503, 5", a.status, a.header.Get("Retry-After"), a.body)
	}
	if a := call(t, http.MethodGet, fresh.URL+"/readyz", "", ""); a.status != http.StatusOK {
		t.Errorf("/readyz: %d: an outage of Keycloak must not empty the Service", a.status)
	}
}
