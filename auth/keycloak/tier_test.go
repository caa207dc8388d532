package keycloak_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
	"github.com/openova-io/llm-gateway/auth/keycloak"
)

func TestTiers(t *testing.T) {
	claim := keycloak.TierSource{From: keycloak.FromClaim, Match: "subscription_tier"}
	role := keycloak.TierSource{From: keycloak.FromRole, Match: "tier-*"}
	group := keycloak.TierSource{From: keycloak.FromGroup, Match: "/tiers/*"}
	for _, tc := range []struct {
		name     string
		from     []keycloak.TierSource
		mapped   map[string]string
		fallback string
		claims   string
		want     string
	}{
		{name: "claim", claims: `{"subscription_tier":"pro"}`, want: "pro"},
		{name: "realm role", claims: `{"realm_access":{"roles":["offline_access","tier-pro"]}}`, want: "pro"},
		{name: "role of our client", claims: `{"resource_access":{"llm-gateway":{"roles":["tier-pro"]}}}`, want: "pro"},
		{name: "role of another client", claims: `{"resource_access":{"else":{"roles":["tier-pro"]}}}`},
		{name: "group", claims: `{"groups":["/staff","/tiers/pro"]}`, want: "pro"},
		{name: "group below a tier", claims: `{"groups":["/tiers/pro/sub"]}`},
		{name: "group elsewhere", claims: `{"groups":["/old/tiers/pro"]}`},
		{name: "the default order: claim first", claims: `{"subscription_tier":"free","groups":["/tiers/enterprise"],"realm_access":{"roles":["tier-pro"]}}`, want: "free"},
		{name: "the configured order", from: []keycloak.TierSource{group, role, claim}, claims: `{"subscription_tier":"free","groups":["/tiers/enterprise"],"realm_access":{"roles":["tier-pro"]}}`, want: "enterprise"},
		{name: "an unknown value asks the next source", claims: `{"subscription_tier":"platinum","realm_access":{"roles":["tier-pro"]}}`, want: "pro"},
		{name: "several in one source: the last of the file", claims: `{"groups":["/tiers/enterprise","/tiers/free"]}`, want: "enterprise"},
		{name: "several, the other way round", claims: `{"groups":["/tiers/free","/tiers/enterprise"]}`, want: "enterprise"},
		{name: "a source that is not asked", from: []keycloak.TierSource{role}, claims: `{"subscription_tier":"pro"}`},
		{name: "a role without a star", from: []keycloak.TierSource{{From: keycloak.FromRole, Match: "gold"}}, mapped: map[string]string{"gold": "enterprise"}, claims: `{"realm_access":{"roles":["gold"]}}`, want: "enterprise"},
		{name: "mapped value", mapped: map[string]string{"staff": "pro"}, claims: `{"subscription_tier":"staff"}`, want: "pro"},
		{name: "mapped part", mapped: map[string]string{"staff": "pro"}, claims: `{"groups":["/tiers/staff"]}`, want: "pro"},
		{name: "mapped whole value", mapped: map[string]string{"/tiers/x": "pro"}, claims: `{"groups":["/tiers/x"]}`, want: "pro"},
		{name: "the map wins over the name", mapped: map[string]string{"enterprise": "free"}, claims: `{"subscription_tier":"enterprise"}`, want: "free"},
		{name: "case counts", claims: `{"subscription_tier":"Pro"}`},
		{name: "blanks count", claims: `{"subscription_tier":" pro "}`},
		{name: "a claim of another case", claims: `{"Subscription_Tier":"pro"}`},
		{name: "a list is no tier", claims: `{"subscription_tier":["pro"]}`},
		{name: "an object is no tier", claims: `{"subscription_tier":{"pro":true}}`},
		{name: "null", claims: `{"subscription_tier":null}`},
		{name: "groups as text", claims: `{"groups":"/tiers/pro"}`},
		{name: "roles as text", claims: `{"realm_access":"tier-pro"}`},
		{name: "nothing", claims: `{}`},
		{name: "nothing, with a default", fallback: "free", claims: `{}`, want: "free"},
		{name: "unknown, with a default: never the highest", fallback: "free", claims: `{"subscription_tier":"platinum"}`, want: "free"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := keycloak.Config{Issuer: "i", TierFrom: tc.from, TierMap: tc.mapped, DefaultTier: tc.fallback, Tiers: tiers}
			v, err := keycloak.New(config, keycloak.NewKeys("", "", nil, zap.NewNop(), nil), nil)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := strictjson.Object([]byte(tc.claims), 8)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := keycloak.TierOf(v, claims)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("tier = %q, %v; want %q", got, ok, tc.want)
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct {
		config keycloak.Config
		want   string
	}{
		{keycloak.Config{}, "no issuer"},
		{keycloak.Config{Issuer: "i", DefaultTier: "gold"}, "default_tier gold: no such tier (known: free, pro, enterprise)"},
		{keycloak.Config{Issuer: "i", TierMap: map[string]string{"a": "gold"}}, "tier_map a gold: no such tier (known: free, pro, enterprise)"},
		{keycloak.Config{Issuer: "i", Algorithms: []string{"HS256"}}, `algorithms: "HS256"`},
		{keycloak.Config{Issuer: "i", Algorithms: []string{"PS256"}}, `algorithms: "PS256"`},
		{keycloak.Config{Issuer: "i", Algorithms: []string{"none"}}, `algorithms: "none"`},
		{keycloak.Config{Issuer: "i", Clients: []string{"any", "x"}}, "clients:"},
		{keycloak.Config{Issuer: "i", TierFrom: []keycloak.TierSource{{From: "scope", Match: "x"}}}, `tier_from "scope"`},
		{keycloak.Config{Issuer: "i", TierFrom: []keycloak.TierSource{{From: "role", Match: "*-*"}}}, "at most one"},
		{keycloak.Config{Issuer: "i", TierFrom: []keycloak.TierSource{{From: "claim", Match: "tier*"}}}, "not a pattern"},
		{keycloak.Config{Issuer: "i", TierFrom: []keycloak.TierSource{{From: "claim"}}}, "no name"},
	} {
		tc.config.Tiers = tiers
		_, err := keycloak.New(tc.config, keycloak.NewKeys("", "", nil, zap.NewNop(), nil), nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("New(%+v) = %v; want an error with %q", tc.config, err, tc.want)
		}
	}
}
