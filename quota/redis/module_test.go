package redis_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openova-io/llm-gateway/internal/redistest"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/quota/redis"
)

func TestUnmarshalCaddyfile(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       redis.Module
		err        string
	}{
		{name: "the shortest", text: `redis {env.QUOTA_REDIS_URL}`, want: redis.Module{URL: "{env.QUOTA_REDIS_URL}"}},
		{name: "everything", text: `redis rediss://valkey {
			username llmgw
			password_file /run/secrets/valkey
			prefix gw
			timeout 1s
			tls_insecure
		}`, want: redis.Module{URL: "rediss://valkey", Username: "llmgw", PasswordFile: "/run/secrets/valkey", Prefix: "gw", Timeout: caddy.Duration(time.Second), TLSInsecure: true}},
		{name: "no URL", text: `redis`, err: "one URL is needed"},
		{name: "two URLs", text: `redis redis://a redis://b`, err: "one URL is needed"},
		{name: "a typo", text: "redis redis://a {\n\tpasword_file x\n}", err: `unknown option "pasword_file"; did you mean password_file? (known: username, password_file, prefix, timeout, tls_insecure), at Caddyfile:2`},
		{name: "another word", text: "redis redis://a {\n\tcolour x\n}", err: `unknown option "colour" (known: username`},
		{name: "twice", text: "redis redis://a {\n\tprefix a\n\tprefix b\n}", err: "prefix given twice, at Caddyfile:3"},
		{name: "no value", text: "redis redis://a {\n\tprefix\n}", err: "prefix takes one value, at Caddyfile:2"},
		{name: "two values", text: "redis redis://a {\n\tprefix a b\n}", err: "prefix takes one value"},
		{name: "a timeout that is none", text: "redis redis://a {\n\ttimeout soon\n}", err: `timeout "soon" is no time to wait`},
		{name: "a flag with a value", text: "redis redis://a {\n\ttls_insecure yes\n}", err: "takes no value"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tokens, err := caddyfile.Tokenize([]byte(tc.text), "Caddyfile")
			if err != nil {
				t.Fatal(err)
			}
			var got redis.Module
			err = got.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v; want %q", err, tc.err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreUnexported(redis.Module{})); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}

// load provisions the module as a configuration does.
func load(t *testing.T, config string) (quota.Guest, func(), error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	v, err := ctx.LoadModuleByID("llm_gateway.quota.redis", json.RawMessage(config))
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
	for name, tc := range map[string]struct{ config, err string }{
		"an unset variable": {`{"url":"{env.QUOTA_NOT_SET}"}`, "QUOTA_NOT_SET"},
		"no URL":            {`{}`, "URL is empty"},
		"an unknown field":  {`{"url":"redis://h","adress":"x"}`, "adress"},
		"skip_verify":       {`{"url":"rediss://u:hunter2@h?skip_verify=true"}`, "tls_insecure"},
		"a bad URL":         {`{"url":"redis://u:hunter2%ss@h"}`, "password_file"},
	} {
		_, _, err := load(t, tc.config)
		if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q and no password", name, err, tc.err)
		}
	}
}

// A reload shares the connections, also when the password changed, and does
// not close them under a stream of the old configuration.
func TestModuleAcrossReload(t *testing.T) {
	s := redistest.Start(t)
	t.Setenv("QUOTA_TEST_URL", s.URL)
	before, cleanup, err := load(t, `{"url":"{env.QUOTA_TEST_URL}"}`)
	if err != nil {
		t.Fatal(err)
	}
	stream := before.Store()
	mustReserve(t, stream, "a")
	after, _, err := load(t, `{"url":"unix://:new@`+s.Socket+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	if after.Key() != before.Key() || after.Store() != stream {
		t.Errorf("another store after a reload: %s, %s", before.Key(), after.Key())
	}
	other, cleanupOther, err := load(t, `{"url":"`+s.URL+`","prefix":"other"}`)
	if err != nil {
		t.Fatal(err)
	}
	if other.Key() == before.Key() || other.Store() == stream {
		t.Error("another prefix has the same counters")
	}
	mustReserve(t, other.Store(), "b")
	kept := other.Store()
	cleanup()
	cleanupOther()
	for id, store := range map[string]quota.Store{"a": stream, "b": kept} {
		got, err := store.Settle(t.Context(), []quota.Settlement{settlement(id)})
		if err != nil || got[0] != quota.Done {
			t.Errorf("a stream of the old configuration: Settle = %v, %v", got, err)
		}
	}
	if before.Kind() != "redis" || strings.Contains(before.Key(), "new") {
		t.Errorf("kind %q, key %q", before.Kind(), before.Key())
	}
}

// A configuration that was refused leaves the running one's password alone; one
// that came into force brings its own.
func TestModuleOffersItsPasswordWhenOpened(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "one")
	admin := connect(t, "unix://:one@"+s.Socket)
	running, _, err := load(t, `{"url":"unix://:one@`+s.Socket+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	reserves := func(id string) error {
		if err := admin.raw.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		_, err := running.Store().Reserve(t.Context(), charge(id))
		return err
	}
	if err := reserves("a"); err != nil {
		t.Fatal(err)
	}
	next, _, err := load(t, `{"url":"unix://:two@`+s.Socket+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := reserves("b"); err != nil {
		t.Errorf("beside a configuration that is only checked: %v", err)
	}
	if err := admin.raw.ConfigSet(t.Context(), "requirepass", "two").Err(); err != nil {
		t.Fatal(err)
	}
	if err := reserves("c"); err == nil {
		t.Error("the password of a configuration that is not in force was used")
	}
	opener, ok := next.(interface{ Open() error })
	if !ok {
		t.Fatalf("%T cannot be opened", next)
	}
	if err := opener.Open(); err != nil {
		t.Fatal(err)
	}
	if err := reserves("d"); err != nil {
		t.Errorf("with the password of the new configuration: %v", err)
	}
}

// The engine learns how far away the store is.
func TestModuleSaysItsTimeout(t *testing.T) {
	for config, want := range map[string]time.Duration{
		`{"url":"redis://h"}`:                     150 * time.Millisecond,
		`{"url":"redis://h","timeout":"2s"}`:      2 * time.Second,
		`{"url":"redis://h","timeout":200000000}`: 200 * time.Millisecond,
	} {
		guest, _, err := load(t, config)
		if err != nil {
			t.Fatal(err)
		}
		if timed, ok := guest.(quota.Timed); !ok || timed.StoreTimeout() != want {
			t.Errorf("%s: %+v; want a timeout of %v", config, guest, want)
		}
	}
}

// Loading a configuration needs no server.
func TestModuleLoadsWithoutServer(t *testing.T) {
	start := time.Now()
	if _, _, err := load(t, `{"url":"redis://203.0.113.1:6379"}`); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("took %v", took)
	}
}
