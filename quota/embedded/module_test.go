package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/embedded"
)

func TestUnmarshalCaddyfile(t *testing.T) {
	for text, wanted := range map[string]string{
		"embedded /data":           "",
		"embedded":                 "one directory is needed",
		"embedded /a /b":           "one directory is needed",
		"embedded /a {\n\tsync\n}": `unknown option "sync" (there are none), at Caddyfile:2`,
	} {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		var m embedded.Module
		err = m.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
		if wanted == "" && (err != nil || m.Dir != "/data") {
			t.Errorf("%q: %q, %v", text, m.Dir, err)
		}
		if wanted != "" && (err == nil || !strings.Contains(err.Error(), wanted)) {
			t.Errorf("%q: %v; want %q", text, err, wanted)
		}
	}
}

func load(t *testing.T, config string) (quota.Guest, func(), error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	v, err := ctx.LoadModuleByID("llm_gateway.quota.embedded", json.RawMessage(config))
	if err != nil {
		return nil, nil, err
	}
	guest, ok := v.(quota.Guest)
	if !ok {
		t.Fatalf("%T is no quota.Guest", v)
	}
	return guest, cancel, nil
}

func TestModuleRefuses(t *testing.T) {
	for config, wanted := range map[string]string{
		`{}`:                            "a directory is needed",
		`{"dir":"{env.QUOTA_NOT_SET}"}`: "QUOTA_NOT_SET",
		`{"dir":"/x","path":"/y"}`:      "path",
	} {
		if _, _, err := load(t, config); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v; want %q", config, err, wanted)
		}
	}
}

// A configuration is checked while a gateway runs on the same directory.
func TestModuleOpensLate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "quota")
	guest, _, err := load(t, `{"dir":"`+dir+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("loading a configuration made the directory: %v", err)
	}
	other, _, err := embedded.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := guest.(interface{ Open() error }).Open(); !errors.Is(err, quota.ErrUnavailable) || !strings.Contains(err.Error(), "use a Redis store") {
		t.Errorf("Open of a directory in use = %v", err)
	}
	if _, err := guest.Store().Reserve(t.Context(), charge("a")); !errors.Is(err, quota.ErrUnavailable) {
		t.Errorf("Reserve in a directory in use = %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err := guest.Store().Reserve(t.Context(), charge("a")); err != nil || d.Status != quota.OK {
		t.Errorf("Reserve when the other has ended = %+v, %v", d, err)
	}
}

// A reload finds the same store: no second lock, no counter lost.
func TestModuleAcrossReload(t *testing.T) {
	dir := t.TempDir()
	before, cleanup, err := load(t, `{"dir":"`+dir+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Store().Reserve(t.Context(), charge("a")); err != nil {
		t.Fatal(err)
	}
	stream := before.Store()
	cleanup() // also when nobody holds it for a moment
	got, err := stream.Settle(t.Context(), []quota.Settlement{{ID: "a", Subject: alice, Mode: quota.Charge}})
	if err != nil || got[0] != quota.Done {
		t.Errorf("a stream of the old configuration: Settle = %v, %v", got, err)
	}
	after, _, err := load(t, `{"dir":"`+dir+`/."}`)
	if err != nil {
		t.Fatal(err)
	}
	if after.Key() != "embedded:"+dir || after.Kind() != "embedded" || after.Store() != stream {
		t.Errorf("another store after a reload: %s", after.Key())
	}
	rec, err := after.Store().Read(t.Context(), alice)
	if err != nil || rec.Windows["day/requests"].Used != 1 {
		t.Errorf("Read = %+v, %v", rec, err)
	}
}
