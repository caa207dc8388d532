package keycloak_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/auth/keycloak"
)

func TestParseKeys(t *testing.T) {
	n := func(bits int) string {
		b := make([]byte, bits/8)
		b[0], b[len(b)-1] = 0x80, 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	rsa := func(kid, change string) string {
		jwk := fmt.Sprintf(`{"kid":%q,"kty":"RSA","alg":"RS256","use":"sig","n":%q,"e":"AQAB"}`, kid, n(2048))
		if old, fresh, ok := strings.Cut(change, "→"); ok {
			return strings.Replace(jwk, old, fresh, 1)
		}
		return jwk
	}
	for _, tc := range []struct {
		name string
		keys []string
		want []string
		err  bool
	}{
		{name: "a good key", keys: []string{rsa("a", "")}, want: []string{"a"}},
		{name: "two", keys: []string{rsa("a", ""), rsa("b", "")}, want: []string{"a", "b"}},
		{name: "one kid for two keys names neither", keys: []string{rsa("a", ""), rsa("a", "")}},
		{name: "one kid for three keys names none", keys: []string{rsa("a", ""), rsa("a", ""), rsa("a", "")}},
		{name: "for encryption", keys: []string{rsa("a", `"sig"→"enc"`)}},
		{name: "without use", keys: []string{rsa("a", `"use":"sig",→`)}},
		{name: "without alg", keys: []string{rsa("a", `"alg":"RS256",→`)}},
		{name: "PS256", keys: []string{rsa("a", `RS256→PS256`)}},
		{name: "HS256", keys: []string{rsa("a", `RS256→HS256`)}},
		{name: "RSA key said to be ES256", keys: []string{rsa("a", `RS256→ES256`)}},
		{name: "exponent 3", keys: []string{rsa("a", `AQAB→Aw`)}},
		{name: "even exponent", keys: []string{rsa("a", `AQAB→AQAC`)}},
		{name: "1024 bits", keys: []string{rsa("a", n(2048)+"→"+n(1024))}},
		{name: "16384 bits", keys: []string{rsa("a", n(2048)+"→"+n(16384))}},
		{name: "no kid", keys: []string{rsa("", "")}},
		{name: "a kid of 129 bytes", keys: []string{rsa(strings.Repeat("k", 129), "")}},
		{name: "a broken key beside a good one", keys: []string{`{"kid":"x","kty":"EC","alg":"ES256","use":"sig","crv":"P-256","x":"AA","y":"AA"}`, rsa("a", "")}, want: []string{"a"}},
		{name: "a point off the curve", keys: []string{fmt.Sprintf(`{"kid":"x","kty":"EC","alg":"ES256","use":"sig","crv":"P-256","x":%q,"y":%q}`, n(256), n(256))}},
		{name: "a short Ed25519 key", keys: []string{`{"kid":"x","kty":"OKP","alg":"EdDSA","use":"sig","crv":"Ed25519","x":"AAAA"}`}},
		{name: "not an object", keys: []string{`7`}, err: true},
		{name: "65 keys", keys: slices.Repeat([]string{`{}`}, 65), err: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := keycloak.ParseKeys([]byte(`{"keys":[` + strings.Join(tc.keys, ",") + `]}`))
			kids := slices.Sorted(maps.Keys(got))
			if (err != nil) != tc.err || !slices.Equal(kids, tc.want) {
				t.Errorf("ParseKeys = %v, %v; want %v, error %v", kids, err, tc.want, tc.err)
			}
		})
	}
	recorded, err := keycloak.ParseKeys(testdata(t, "jwks-rotated-both.json"))
	if err != nil || len(recorded) != 4 {
		t.Errorf("the recorded set: %d keys, %v; want RS256 twice, ES256, EdDSA", len(recorded), err)
	}
}

func TestRealmURL(t *testing.T) {
	for _, tc := range []struct{ in, want, err string }{
		{in: " https://kc.example.com/realms/a/ ", want: "https://kc.example.com/realms/a"},
		{in: "https://kc.example.com/realms/a//", want: "https://kc.example.com/realms/a"},
		{in: "https://kc.example.com/realms/a/.well-known/openid-configuration", want: "https://kc.example.com/realms/a"},
		{in: "http://127.0.0.1:8180/realms/a", want: "http://127.0.0.1:8180/realms/a"},
		{in: "http://[::1]:8180/realms/a", want: "http://[::1]:8180/realms/a"},
		{in: "http://localhost/realms/a", want: "http://localhost/realms/a"},
		{in: "http://keycloak:8080/realms/a", want: "http://keycloak:8080/realms/a"},
		{in: "http://keycloak.auth.svc:8080/realms/a", want: "http://keycloak.auth.svc:8080/realms/a"},
		{in: "http://keycloak.auth.svc.cluster.local/realms/a", want: "http://keycloak.auth.svc.cluster.local/realms/a"},
		{in: "http://10.0.0.7/realms/a", want: "http://10.0.0.7/realms/a"},
		{in: "http://8.8.8.8/realms/a", err: "public host"},
		{in: "http://169.254.169.254/realms/a", err: "public host"},
		{in: "http://kc.example.com/realms/a", err: "public host"},
		{in: "http://svc.evil.com/realms/a", err: "public host"},
		{in: "ftp://kc.example.com/realms/a", err: "neither https nor http"},
		{in: "kc.example.com/realms/a", err: "names no host"},
		{in: "https:///realms/a", err: "names no host"},
		{in: "https://user:hunter2@kc.example.com/realms/a", err: "user, query or fragment"},
		{in: "https://kc.example.com/realms/a?x=1", err: "user, query or fragment"},
		{in: "https://user:hunter2@kc.example.com:x/", err: "not a URL"},
		{in: "  ", err: "is empty"},
	} {
		got, err := keycloak.RealmURL(tc.in)
		if tc.err == "" {
			if err != nil || got != tc.want {
				t.Errorf("RealmURL(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("RealmURL(%q) = %q, %v; want an error with %q", tc.in, got, err, tc.err)
		}
	}
}
