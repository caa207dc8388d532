package attacktest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// signature signs as the recipe says, with the right key or a wrong one.
func (l *Lab) signature(signed string, how Sign) ([]byte, error) {
	switch {
	case how.HMAC != "":
		secret, err := l.secret(how)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return mac.Sum(nil), nil
	case how.Key == "none":
		return nil, nil
	case how.Key == "zeros":
		return make([]byte, how.Len), nil
	}
	k, ok := l.keys[how.Key]
	if !ok {
		return nil, fmt.Errorf("unknown key %q", how.Key)
	}
	if how.Der {
		sum := sha256.Sum256([]byte(signed))
		return signDER(k.private, sum[:])
	}
	alg := how.Alg
	if alg == "" {
		alg = k.alg
	}
	method := jwt.GetSigningMethod(alg)
	if method == nil {
		return nil, fmt.Errorf("unknown alg %q", alg)
	}
	signature, err := method.Sign(signed, k.private)
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", how.Key, err)
	}
	return signature, nil
}

func signDER(private crypto.Signer, sum []byte) ([]byte, error) {
	key, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("der: %T", private)
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature, nil
}

// secret is a public key in one of the forms that a confused verifier would
// take as an HMAC secret.
func (l *Lab) secret(how Sign) ([]byte, error) {
	k, ok := l.keys[how.Of]
	if !ok {
		return nil, fmt.Errorf("unknown key %q", how.Of)
	}
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", how.Of, err)
	}
	pkix := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	public, isRSA := k.private.Public().(*rsa.PublicKey)
	switch how.HMAC {
	case "der-pkix":
		return der, nil
	case "pem-pkix":
		return pkix, nil
	case "pem-pkix-trimmed":
		return bytes.TrimSpace(pkix), nil
	case "modulus":
		if isRSA {
			return public.N.Bytes(), nil
		}
	case "empty":
		return nil, nil
	}
	return nil, fmt.Errorf("unknown secret %q of %s", how.HMAC, how.Of)
}
