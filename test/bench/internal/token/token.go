// Package token makes throw-away signing keys, a JWKS and access tokens shaped
// like Keycloak's, for load tests on this machine.
package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"time"
)

// Issuer signs tokens with one RSA and one EC key.
type Issuer struct {
	URL string
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

// New makes fresh keys.
func New(url string) (*Issuer, error) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Issuer{URL: url, rsa: r, ec: e}, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// JWKS is the public half, as served at the issuer's jwks_uri.
func (i *Issuer) JWKS() []byte {
	p, _ := i.ec.PublicKey.Bytes() // 0x04, X, Y
	b, _ := json.Marshal(map[string]any{"keys": []any{
		map[string]string{
			"kty": "RSA", "kid": "bench-rs256", "use": "sig", "alg": "RS256",
			"n": b64(i.rsa.N.Bytes()), "e": b64(big.NewInt(int64(i.rsa.E)).Bytes()),
		},
		map[string]string{
			"kty": "EC", "kid": "bench-es256", "use": "sig", "alg": "ES256", "crv": "P-256",
			"x": b64(p[1:33]), "y": b64(p[33:]),
		},
	}})
	return b
}

// Token signs an access token for one user of a tier, valid for a day.
func (i *Issuer) Token(alg, user, tier string) (string, error) {
	now := time.Now()
	head, _ := json.Marshal(map[string]string{"alg": alg, "typ": "JWT", "kid": map[string]string{"RS256": "bench-rs256", "ES256": "bench-es256"}[alg]})
	body, _ := json.Marshal(map[string]any{
		"iss": i.URL, "aud": []string{"llm-gateway", "account"}, "sub": user, "azp": "claude-code", "typ": "Bearer",
		"iat": now.Unix(), "nbf": now.Unix() - 5, "exp": now.Add(24 * time.Hour).Unix(), "jti": "bench-" + user,
		"scope": "openid profile email", "preferred_username": user, "email": user + "@example.org", "email_verified": true,
		"tier": tier, "subscription_tier": tier, "groups": []string{"/tier-" + tier},
		"realm_access":    map[string]any{"roles": []string{"offline_access", "uma_authorization", "tier-" + tier}},
		"resource_access": map[string]any{"account": map[string]any{"roles": []string{"manage-account", "view-profile"}}},
	})
	in := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(in))
	var sig []byte
	var err error
	switch alg {
	case "RS256":
		sig, err = rsa.SignPKCS1v15(rand.Reader, i.rsa, crypto.SHA256, sum[:])
	case "ES256":
		r, s, e := ecdsa.Sign(rand.Reader, i.ec, sum[:])
		if err = e; err == nil {
			sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	default:
		err = fmt.Errorf("token: no %q key", alg)
	}
	return in + "." + b64(sig), err
}
