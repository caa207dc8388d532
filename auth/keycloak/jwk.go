package keycloak

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"

	"github.com/golang-jwt/jwt/v5"

	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
)

// methods are the signatures that this package can check. PS* is off: the
// library takes any salt length. HMAC does not exist here: a public key can
// never be used as a shared secret.
var methods = map[string]jwt.SigningMethod{
	"RS256": jwt.SigningMethodRS256,
	"RS384": jwt.SigningMethodRS384,
	"RS512": jwt.SigningMethodRS512,
	"ES256": jwt.SigningMethodES256,
	"ES384": jwt.SigningMethodES384,
	"ES512": jwt.SigningMethodES512,
	"EdDSA": jwt.SigningMethodEdDSA,
}

// curves are the curve that each ECDSA algorithm requires.
var curves = map[string]elliptic.Curve{
	"ES256": elliptic.P256(),
	"ES384": elliptic.P384(),
	"ES512": elliptic.P521(),
}

// Bounds on a key set.
const (
	maxKeys    = 64
	maxKid     = 128
	minRSABits = 2048
	maxRSABits = 8192
	jwksDepth  = 8
)

// key is one signature key of the issuer and the one algorithm it is for.
type key struct {
	alg    string
	public interface {
		Equal(x crypto.PublicKey) bool
	}
}

// same reports whether both keys verify the same signatures.
func (k key) same(other key) bool { return k.alg == other.alg && k.public.Equal(other.public) }

// parseKeys reads a JWKS document. Keys that are not for signatures, name no
// algorithm of ours or do not keep the bounds are left out; a kid that two keys
// share names neither. The map may be empty.
func parseKeys(document []byte) (map[string]key, error) {
	set, err := strictjson.Object(document, jwksDepth)
	if err != nil {
		return nil, err
	}
	list, ok := set["keys"].([]any)
	if !ok {
		return nil, errors.New("no list of keys")
	}
	if len(list) > maxKeys {
		return nil, errors.New("more than 64 keys")
	}
	keys := make(map[string]key, len(list))
	seen := make(map[string]bool, len(list))
	for _, entry := range list {
		jwk, ok := entry.(map[string]any)
		if !ok {
			return nil, errors.New("a key is not an object")
		}
		kid, _ := jwk["kid"].(string)
		k, usable := parseKey(jwk)
		switch {
		case kid == "" || len(kid) > maxKid:
		case seen[kid]:
			delete(keys, kid)
		case usable:
			keys[kid] = k
		}
		seen[kid] = true
	}
	return keys, nil
}

func parseKey(jwk map[string]any) (key, bool) {
	if jwk["use"] != "sig" {
		return key{}, false
	}
	alg, _ := jwk["alg"].(string)
	k := key{alg: alg}
	switch alg {
	case "RS256", "RS384", "RS512":
		if pub, ok := parseRSA(jwk); ok {
			k.public = pub
		}
	case "ES256", "ES384", "ES512":
		if pub, ok := parseEC(jwk, curves[alg]); ok {
			k.public = pub
		}
	case "EdDSA":
		if pub, ok := parseEd25519(jwk); ok {
			k.public = pub
		}
	}
	return k, k.public != nil
}

func parseRSA(jwk map[string]any) (*rsa.PublicKey, bool) {
	n, e := octets(jwk["n"]), octets(jwk["e"])
	if jwk["kty"] != "RSA" || len(n) == 0 || len(e) == 0 || len(e) > 4 {
		return nil, false
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e).Int64()
	if bits := modulus.BitLen(); bits < minRSABits || bits > maxRSABits || modulus.Bit(0) == 0 {
		return nil, false
	}
	if exponent < 65537 || exponent%2 == 0 || exponent > 1<<31-1 {
		return nil, false
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent)}, true
}

func parseEC(jwk map[string]any, curve elliptic.Curve) (*ecdsa.PublicKey, bool) {
	x, y := octets(jwk["x"]), octets(jwk["y"])
	size := (curve.Params().BitSize + 7) / 8
	if jwk["kty"] != "EC" || jwk["crv"] != curve.Params().Name || len(x) != size || len(y) != size {
		return nil, false
	}
	point := append(append([]byte{4}, x...), y...)
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	return pub, err == nil
}

func parseEd25519(jwk map[string]any) (ed25519.PublicKey, bool) {
	x := octets(jwk["x"])
	if jwk["kty"] != "OKP" || jwk["crv"] != "Ed25519" || len(x) != ed25519.PublicKeySize {
		return nil, false
	}
	return ed25519.PublicKey(x), true
}

// octets decodes a base64url member; nil where it is none.
func octets(member any) []byte {
	text, _ := member.(string)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil
	}
	return raw
}
