//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/redistest"
	"github.com/openova-io/llm-gateway/internal/vllmsim"
	"github.com/openova-io/llm-gateway/test/harness"
)

// realmSite is a gateway in front of a model with people of Keycloak and
// counters in Redis.
type realmSite struct {
	keycloak *harness.Keycloak
	redis    *redistest.Server
	model    *harness.Recorder
}

// block is the gateway's block with further lines of auth keycloak. All
// clients of the realm but other-app are let in.
func (s *realmSite) block(auth string) string {
	return s.blockFor("clients claude-cli llm-test-ropc llm-test-es256 llm-test-eddsa llm-test-lightweight llm-batch\n" + auth)
}

// blockFor is the gateway's block with these lines of auth keycloak alone.
func (s *realmSite) blockFor(auth string) string {
	return fmt.Sprintf(`
			auth keycloak %s {
%s
			}
			quota redis %s
			backend internal vllm %s/v1 {
				models qwen3-32b
				native_messages
			}`, s.keycloak.Realm, auth, s.redis.URL, s.model.URL)
}

// mint returns a fresh access token of a person.
func (s *realmSite) mint(t *testing.T, client, person string) string {
	t.Helper()
	token, err := s.keycloak.Password(client, person)
	if err != nil {
		t.Fatalf("a token of %s by %s: %v", person, client, err)
	}
	return token
}

// One Keycloak serves all parts of this test, in this order: its last parts
// change its keys and stop it.
func TestKeycloak(t *testing.T) {
	start := time.Now()
	s := &realmSite{keycloak: harness.StartKeycloak(t), redis: redistest.Start(t), model: harness.StartModel(t, vllmsim.Options{})}
	t.Logf("Keycloak answered after %.0f s", time.Since(start).Seconds())
	g := harness.StartGateway(t, harness.Site{Block: s.block("")})
	t.Run("people of all plans", func(t *testing.T) { testPlans(t, s, g) })
	t.Run("who is refused", func(t *testing.T) { testRefused(t, s, g) })
	t.Run("other configurations", func(t *testing.T) { testOtherSources(t, s) })
	t.Run("claude code", func(t *testing.T) {
		wantEdit(t, "ANTHROPIC_BASE_URL="+g.URL, "ANTHROPIC_AUTH_TOKEN="+s.mint(t, "llm-test-ropc", "carol"))
	})
	t.Run("the realm changes its keys", func(t *testing.T) { testRotation(t, s, g) })
	t.Run("keycloak is away", func(t *testing.T) { testOutage(t, s, g) })
}

func testPlans(t *testing.T, s *realmSite, g *harness.Gateway) {
	used := make(map[string]int64)
	for _, tc := range []struct{ client, person, tier string }{
		{"llm-test-ropc", "alice", "free"},
		{"llm-test-ropc", "bob", "pro"},
		{"llm-test-ropc", "carol", "enterprise"},
		{"llm-test-ropc", "frank", "pro"}, // by the attribute of his group
		{"llm-test-es256", "bob", "pro"},
		{"llm-test-eddsa", "bob", "pro"},
	} {
		t.Run(tc.person+" by "+tc.client, func(t *testing.T) {
			token := s.mint(t, tc.client, tc.person)
			if a := ask(t, g.URL, token, "[[sim say ok]]"); a.status != http.StatusOK {
				t.Fatalf("%d %s, want an answer", a.status, a.body)
			}
			used[tc.person]++
			q := quota(t, g.URL, token)
			if q.Tier != tc.tier || q.used() != used[tc.person] {
				t.Errorf("/quota: tier %s, %d used; want %s, %d", q.Tier, q.used(), tc.tier, used[tc.person])
			}
		})
	}
	// A second token of the same person is the same person.
	token := s.mint(t, "llm-test-ropc", "alice")
	spend(t, g.URL, token, 9)
	a := ask(t, g.URL, token, "[[sim say ok]]")
	if a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "10 of 10 requests on the free plan") {
		t.Errorf("alice's 11th request: %d %s, want 429", a.status, a.body)
	}
	// Another replica counts in the same place.
	replica := harness.StartGateway(t, harness.Site{Block: s.block("")})
	if a := ask(t, replica.URL, token, "[[sim say ok]]"); a.status != http.StatusTooManyRequests {
		t.Errorf("alice's 12th request, to another replica: %d %s, want 429", a.status, a.body)
	}
	wantUsed(t, replica.URL, token, 10)
}

// claimsOf returns the claims of a token.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func testRefused(t *testing.T, s *realmSite, g *harness.Gateway) {
	if _, err := s.keycloak.Password("llm-test-ropc", "dave"); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("a token of dave: %v, want a refusal of Keycloak: he is disabled", err)
	}
	batch, err := s.keycloak.ServiceAccount("llm-batch")
	if err != nil {
		t.Fatal(err)
	}
	reached := len(s.model.Seen(http.MethodPost, ""))
	for _, tc := range []struct {
		name, token     string
		anthropic, open int
		says            string
	}{
		{"a person without a plan", s.mint(t, "llm-test-ropc", "erin"), 400, 403, "no plan"},
		{"a token of another application", s.mint(t, "other-app", "bob"), 401, 401, "another application"},
		{"a service account", batch, 401, 401, "service_accounts allow"},
		{"a token without a subject", s.mint(t, "llm-test-lightweight", "bob"), 401, 401, "not issued for this gateway"},
		{"half a token", s.mint(t, "llm-test-ropc", "bob")[:400], 401, 401, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := ask(t, g.URL, tc.token, "hello")
			if a.status != tc.anthropic || !strings.Contains(a.body, tc.says) || !strings.Contains(a.body, `"type":"error"`) {
				t.Errorf("messages: %d %s, want %d, %q", a.status, a.body, tc.anthropic, tc.says)
			}
			a = call(t, http.MethodPost, g.URL+"/v1/chat/completions", tc.token, `{"model":"qwen3-32b","messages":[{"role":"user","content":"hello"}]}`)
			if a.status != tc.open || !strings.Contains(a.body, tc.says) || strings.Contains(a.body, `"type":"error"`) {
				t.Errorf("chat completions: %d %s, want %d, %q", a.status, a.body, tc.open, tc.says)
			}
		})
	}
	// Audience and tier are right, but the operator let in claude-cli only.
	strict := harness.StartGateway(t, harness.Site{Block: s.blockFor("")})
	if a := ask(t, strict.URL, s.mint(t, "llm-test-ropc", "bob"), "hello"); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "clients llm-test-ropc") {
		t.Errorf("a client that is not on the list: %d %s, want 401 and the line to add", a.status, a.body)
	}
	if n := len(s.model.Seen(http.MethodPost, "")) - reached; n != 0 {
		t.Errorf("%d refused requests reached the model", n)
	}
}

// The tier may stand in a role or a group, and machines may be let in.
func testOtherSources(t *testing.T, s *realmSite) {
	batch, err := s.keycloak.ServiceAccount("llm-batch")
	if err != nil {
		t.Fatal(err)
	}
	frank, grace := s.mint(t, "llm-test-ropc", "frank"), s.mint(t, "llm-test-ropc", "grace")
	for _, tc := range []struct {
		auth  string
		tiers map[string]string // by token
	}{
		{"tier_from role tier-*", map[string]string{frank: "pro", grace: "enterprise"}},
		{"tier_from group /tiers/*", map[string]string{frank: "pro", grace: "enterprise"}},
		{"service_accounts allow", map[string]string{batch: "enterprise"}},
		{"default_tier free", map[string]string{s.mint(t, "llm-test-ropc", "erin"): "free"}},
		{"tier_map pro free", map[string]string{s.mint(t, "llm-test-ropc", "bob"): "free"}},
	} {
		t.Run(tc.auth, func(t *testing.T) {
			g := harness.StartGateway(t, harness.Site{Block: s.block(tc.auth)})
			for token, tier := range tc.tiers {
				if q := quota(t, g.URL, token); q.Tier != tier {
					t.Errorf("%v is on %s, want %s", claimsOf(t, token)["preferred_username"], q.Tier, tier)
				}
				if a := ask(t, g.URL, token, "[[sim say ok]]"); a.status != http.StatusOK {
					t.Errorf("%d %s, want an answer", a.status, a.body)
				}
			}
		})
	}
}
