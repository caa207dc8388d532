package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for _, tc := range []struct {
		name, url string
		want      address
		err       string // part of the error; "" means none
	}{
		{name: "a server", url: "redis://valkey", want: address{kind: kindServer, hosts: []string{"valkey:6379"}}},
		{name: "everything", url: "rediss://u:p%40ss@h:1/2?skip_verify=true", want: address{kind: kindServer, hosts: []string{"h:1"}, db: 2, tls: true, insecure: true, username: "u", password: "p@ss"}},
		{name: "password without user", url: "redis://:pw@h", want: address{kind: kindServer, hosts: []string{"h:6379"}, password: "pw"}},
		{name: "password with raw @ and /", url: "redis://:p@w/d@h", want: address{kind: kindServer, hosts: []string{"h:6379"}, password: "p@w/d"}},
		{name: "an IPv6 host", url: "redis://[::1]", want: address{kind: kindServer, hosts: []string{"[::1]:6379"}}},
		{name: "a socket", url: "unix:///run/v.sock?db=3", want: address{kind: kindUnix, hosts: []string{"/run/v.sock"}, db: 3}},
		{name: "sentinels", url: "redis+sentinel://:pw@a,b:7/1?master_name=m&sentinel_username=su&sentinel_password=sp", want: address{kind: kindSentinel, hosts: []string{"a:26379", "b:7"}, db: 1, password: "pw", master: "m", sentinelUser: "su", sentinelPassword: "sp"}},
		{name: "a cluster", url: "rediss+cluster://a,b:1", want: address{kind: kindCluster, hosts: []string{"a:6379", "b:1"}, tls: true}},

		{name: "empty", url: "", err: "URL is empty"},
		{name: "no scheme", url: "hunter2@valkey:6379", err: "must begin with redis://"},
		{name: "bad escape in the password", url: "redis://u:hunter2%ss@h", err: "password_file"},
		{name: "unknown option", url: "redis://:hunter2@h?pool=3", err: `"pool"`},
		{name: "two plain hosts", url: "redis://:hunter2@a,b", err: "redis+cluster://"},
		{name: "no host", url: "redis://:hunter2@", err: "names no host"},
		{name: "database is a word", url: "redis://:hunter2@h/x", err: "database number"},
		{name: "sentinel without master", url: "redis+sentinel://:hunter2@h", err: "master_name"},
		{name: "master without sentinel", url: "redis://:hunter2@h?master_name=m", err: "master_name"},
		{name: "a cluster has no databases", url: "redis+cluster://:hunter2@h/3", err: "no databases"},
		{name: "a relative socket", url: "unix://run/v.sock", err: "absolute path"},
		{name: "options that do not parse", url: "redis://h?sentinel_password=hunter2%zz", err: "percent-encoded"},
		{name: "skip_verify is no word", url: "rediss://:hunter2@h?skip_verify=maybe", err: "true or false"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseURL(tc.url)
			if tc.err == "" {
				if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(address{})); err != nil || diff != "" {
					t.Errorf("parseURL(%q): %v, -want +got:\n%s", tc.url, err, diff)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("parseURL(%q) = %v; want an error with %q", tc.url, err, tc.err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		err  string
	}{
		{name: "defaults", o: Options{URL: "redis://h"}},
		{name: "skip_verify alone", o: Options{URL: "rediss://h?skip_verify=true"}, err: "tls_insecure"},
		{name: "skip_verify meant", o: Options{URL: "rediss://h?skip_verify=true", TLSInsecure: true}},
		{name: "two users", o: Options{URL: "redis://a:hunter2@h", Username: "b"}, err: "different users"},
		{name: "two passwords", o: Options{URL: "redis://:hunter2@h", PasswordFile: "f"}, err: "one beside it"},
		{name: "a prefix with a brace", o: Options{URL: "redis://h", Prefix: "a{b"}, err: "prefix"},
		{name: "a negative timeout", o: Options{URL: "redis://h", Timeout: -1}, err: "negative"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := resolve(&tc.o)
			if (err == nil) != (tc.err == "") || err != nil && (!strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "hunter2")) {
				t.Fatalf("resolve = %v; want %q and no password", err, tc.err)
			}
			if tc.err == "" && (tc.o.Prefix != "llmgw" || tc.o.Timeout != DefaultTimeout) {
				t.Errorf("defaults: prefix %q, timeout %v", tc.o.Prefix, tc.o.Timeout)
			}
		})
	}
}

func TestKeyHoldsNoSecret(t *testing.T) {
	key := func(o Options) string {
		k, err := KeyOf(o)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := Options{URL: "redis://u:one@h"}
	if key(base) != key(Options{URL: "redis://u:two@h"}) {
		t.Error("another password makes another key: a rotation would open a second client")
	}
	for _, other := range []Options{
		{URL: "redis://u:one@h2"},
		{URL: "redis://v:one@h"},
		{URL: "redis://u:one@h/1"},
		{URL: "rediss://u:one@h"},
		{URL: "redis://u:one@h", Prefix: "x"},
		{URL: "redis://u:one@h", Timeout: time.Second},
	} {
		if key(other) == key(base) {
			t.Errorf("%+v has the key of %+v", other, base)
		}
	}
}
