package users_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth/users"
)

func TestUnmarshalCaddyfile(t *testing.T) {
	for _, tc := range []struct{ text, want, err string }{
		{text: "users {env.DIR}/users.json", want: "{env.DIR}/users.json"},
		{text: "users", err: "the file is missing"},
		{text: "users a b", err: `"b" follows the file`},
		{text: "users a {\nwatch\n}", err: `unknown option "watch"`},
	} {
		tokens, err := caddyfile.Tokenize([]byte(tc.text), "Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		var m users.Module
		err = m.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
		if tc.err == "" && (err != nil || m.Path != tc.want) {
			t.Errorf("%q: %q, %v; want %q", tc.text, m.Path, err, tc.want)
		}
		if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(err.Error(), "Caddyfile:")) {
			t.Errorf("%q: %v; want %q with file and line", tc.text, err, tc.err)
		}
	}
}

func TestModule(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TEST_DIR", dir)
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	load := func(path string) (*users.Module, error) {
		raw, err := json.Marshal(map[string]string{"path": path})
		if err != nil {
			t.Fatal(err)
		}
		v, err := ctx.LoadModuleByID("llm_gateway.auth.users", raw)
		if err != nil {
			return nil, err
		}
		return v.(*users.Module), nil
	}
	if _, err := load(""); err == nil || !strings.Contains(err.Error(), "the path is missing") {
		t.Errorf("no path: %v", err)
	}
	if _, err := load("{env.TEST_NOT_SET}"); err == nil {
		t.Error("an empty placeholder was taken")
	}
	m, err := load("{env.TEST_DIR}/users.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Bind(site(zap.NewNop())); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "users.json")) {
		t.Errorf("Start without the file = %v; want its path", err)
	}
	token, sum := users.NewToken()
	file := users.File{Users: []users.User{{Name: "alice", Tier: "pro", Tokens: []users.Token{{SHA256: sum}}}}}
	if err := file.Write(filepath.Join(dir, "users.json")); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	if p, err := m.Verify(t.Context(), token); err != nil || p.ID != "alice" {
		t.Errorf("Verify = %+v, %v", p, err)
	}
	if err := m.Cleanup(); err != nil {
		t.Error(err)
	}
	if err := new(users.Module).Cleanup(); err != nil {
		t.Errorf("Cleanup of nothing = %v", err)
	}
}
