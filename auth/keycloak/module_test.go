package keycloak_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage" // the storage of the contexts below
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/keycloak"
)

func unmarshal(text string) (*keycloak.Module, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
	if err != nil {
		return nil, err
	}
	m := new(keycloak.Module)
	return m, m.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

func TestUnmarshalCaddyfile(t *testing.T) {
	got, err := unmarshal(`keycloak {env.KEYCLOAK_URL} {
		issuer https://login.example.com/realms/a
		audience gw
		clients claude-cli web
		tier_from group /plans/*
		tier_from claim plan
		tier_map staff pro
		tier_map boss enterprise
		default_tier free
		algorithms RS256 EdDSA
		not_before 2026-11-01T00:00:00Z
		service_accounts allow
	}`)
	want := &keycloak.Module{
		Realm: "{env.KEYCLOAK_URL}", Issuer: "https://login.example.com/realms/a", Audience: "gw", Clients: []string{"claude-cli", "web"},
		TierFrom: []keycloak.TierSource{{From: "group", Match: "/plans/*"}, {From: "claim", Match: "plan"}},
		TierMap:  map[string]string{"staff": "pro", "boss": "enterprise"}, DefaultTier: "free", Algorithms: []string{"RS256", "EdDSA"},
		NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), ServiceAccounts: true,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("UnmarshalCaddyfile = %+v, %v; want %+v", got, err, want)
	}
	short, err := unmarshal("keycloak https://kc/realms/a")
	b, _ := json.Marshal(short)
	if err != nil || string(b) != `{"realm":"https://kc/realms/a"}` {
		t.Errorf("the short form = %s, %v", b, err)
	}
}

func TestCaddyfileErrors(t *testing.T) {
	for _, tc := range []struct{ name, block, want string }{
		{"typo", "audiense gw", `unknown option "audiense" (did you mean audience? known: issuer, audience`},
		{"a word of a later issue", "introspect x", `unknown option "introspect"`},
		{"another", "grants free", `unknown option "grants"`},
		{"repeated", "audience a\naudience b", "audience given twice"},
		{"repeated list", "clients a\nclients b", "clients given twice"},
		{"a client twice", "clients a a", "clients names a twice"},
		{"no word", "audience", "audience takes one word"},
		{"two words", "audience a b", "audience takes one word"},
		{"empty word", `issuer ""`, "issuer takes one word"},
		{"no clients", "clients", "clients takes at least one word"},
		{"tier_from of nothing", "tier_from claim", "tier_from takes two words"},
		{"tier_from elsewhere", "tier_from scope x", `tier_from "scope": claim, role or group`},
		{"tier_from twice", "tier_from claim x\ntier_from claim x", "tier_from claim x given twice"},
		{"tier_map of nothing", "tier_map x", "tier_map takes"},
		{"tier_map twice", "tier_map x a\ntier_map x b", "tier_map x given twice"},
		{"no time", "not_before yesterday", `not_before "yesterday" is not a time`},
		{"service accounts", "service_accounts maybe", `service_accounts "maybe": allow or refuse`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := unmarshal("keycloak https://kc/realms/a {\n" + tc.block + "\n}")
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("got %v; want %q with file and line", err, tc.want)
			}
		})
	}
	for text, want := range map[string]string{
		"keycloak":                  "the realm URL is missing",
		"keycloak https://kc/x two": `"two" follows the realm URL`,
	} {
		if _, err := unmarshal(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// load provisions a module as Caddy does, with a storage of its own.
func load(t *testing.T, dir string, config map[string]any) (*keycloak.Module, error) {
	t.Helper()
	storage, err := json.Marshal(map[string]string{"module": "file_system", "root": dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{StorageRaw: storage, Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ctx.LoadModuleByID("llm_gateway.auth.keycloak", raw)
	if err != nil {
		return nil, err
	}
	return v.(*keycloak.Module), nil
}

func siteAt(at time.Time) auth.Site {
	return auth.Site{Tiers: tiers, Logger: zap.NewNop(), Now: func() time.Time { return at }}
}

func TestProvision(t *testing.T) {
	t.Setenv("TEST_REALM", " http://127.0.0.1:1/realms/a/ ")
	t.Setenv("TEST_EMPTY", "")
	m, err := load(t, t.TempDir(), map[string]any{"realm": "{env.TEST_REALM}"})
	if err != nil || m.Realm != "{env.TEST_REALM}" || m.TokenIssuer() != "http://127.0.0.1:1/realms/a" {
		t.Fatalf("load = %+v, %v", m, err)
	}
	for _, tc := range []struct {
		config map[string]any
		want   string
	}{
		{map[string]any{"realm": "{env.TEST_EMPTY}"}, "is empty"},
		{map[string]any{"realm": ""}, "is empty"},
		{map[string]any{"realm": "http://kc.example.com/realms/a"}, "public host"},
		{map[string]any{"realm": "https://kc/a", "issuer": "{env.TEST_EMPTY}"}, "is empty"},
		{map[string]any{"realm": "https://kc/a", "audiense": "x"}, "unknown field"},
	} {
		if _, err := load(t, t.TempDir(), tc.config); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v; want %q", tc.config, err, tc.want)
		}
	}
	if err := new(keycloak.Module).Cleanup(); err != nil {
		t.Errorf("Cleanup of nothing = %v", err)
	}
}

func TestBind(t *testing.T) {
	for _, tc := range []struct {
		change map[string]any
		want   string
	}{
		{change: map[string]any{"default_tier": "refuse"}},
		{change: map[string]any{"default_tier": "gold"}, want: "default_tier gold: no such tier (known: free, pro, enterprise)"},
		{change: map[string]any{"tier_map": map[string]string{"x": "gold"}}, want: "tier_map x gold: no such tier"},
		{change: map[string]any{"algorithms": []string{"HS256"}}, want: `algorithms: "HS256"`},
	} {
		tc.change["realm"] = "https://kc/realms/a"
		m, err := load(t, t.TempDir(), tc.change)
		if err != nil {
			t.Fatal(err)
		}
		err = m.Bind(siteAt(recordedAt))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%v: Bind = %v; want %q", tc.change, err, tc.want)
		}
		if err := errors.Join(m.Cleanup(), m.Cleanup()); err != nil {
			t.Errorf("Cleanup twice = %v", err)
		}
	}
}

// A reload keeps the key set: the issuer is not asked again, and its outage at
// that moment goes unnoticed. A restart finds the set in the storage.
func TestReloadAndRestart(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	dir, token := t.TempDir(), recordedTokens(t)["access-pro"]
	config := map[string]any{"realm": realm.URL, "issuer": recordedIssuer, "clients": []string{"llm-test-ropc"}}
	clock := clockAt(recordedAt)
	core, logs := observer.New(zap.WarnLevel)
	begin := func(logger *zap.Logger) *keycloak.Module {
		t.Helper()
		m, err := load(t, dir, config)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Bind(auth.Site{Tiers: tiers, Logger: logger, Now: clock.now}), m.Start()); err != nil {
			t.Fatal(err)
		}
		return m
	}
	verify := func(step string, m *keycloak.Module) {
		t.Helper()
		if p, err := m.Verify(context.Background(), token); err != nil || p.Tier != "pro" {
			t.Errorf("%s: %+v, %v", step, p, err)
		}
	}
	end := func(m *keycloak.Module) {
		t.Helper()
		if err := errors.Join(m.Stop(), m.Cleanup()); err != nil {
			t.Error(err)
		}
	}
	first := begin(zap.NewNop())
	verify("first", first)
	eventually(t, "the keys are stored", func() bool {
		entries, err := os.ReadDir(dir + "/llm_gateway/jwks")
		return err == nil && len(entries) == 1 && strings.HasSuffix(entries[0].Name(), ".json")
	})
	realm.status.Store(503)

	second := begin(zap.New(core))
	end(first)
	verify("after a reload", second)
	verify("the old configuration's last requests", first)
	if hits := realm.hits.Load(); hits != 1 {
		t.Errorf("%d fetches; want the one", hits)
	}

	clock.pass(11 * time.Second)
	if _, err := second.Verify(t.Context(), bogus(1)); reasonOf(err) != auth.ReasonUnavailable {
		t.Errorf("an unknown kid during the outage: %v", err)
	}
	eventually(t, "the new configuration's logger says so", func() bool { return logs.Len() == 1 })

	rejected, err := load(t, dir, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rejected.Bind(siteAt(recordedAt)), rejected.Cleanup()); err != nil {
		t.Fatal(err)
	}
	verify("after a rejected configuration", second)
	end(second)

	restarted := begin(zap.NewNop())
	verify("after a restart during the outage", restarted)
	end(restarted)
}
