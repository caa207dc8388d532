package attacktest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const realmPath = "/realms/attack"

// Lab is a realm with keys of its own on a loopback port, and the listener
// that no gateway may ever call.
type Lab struct {
	// Issuer is the realm's URL.
	Issuer string
	// Listener is a URL that counts its calls.
	Listener string

	keys   map[string]labKey
	server *http.Server
	jwks   []byte
	fetch  atomic.Int64
	called atomic.Int64
}

// labKey is a key pair; published ones are in the JWKS.
type labKey struct {
	private  crypto.Signer
	alg, use string
	publish  bool
}

// NewLab makes the keys and starts to serve them. Close ends it.
func NewLab(ctx context.Context) (*Lab, error) {
	l := &Lab{keys: map[string]labKey{}}
	if err := l.makeKeys(); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the lab: %w", err)
	}
	l.Issuer = "http://" + listener.Addr().String() + realmPath
	l.Listener = "http://" + listener.Addr().String() + "/listener"
	if l.jwks, err = l.encodeKeys(); err != nil {
		return nil, err
	}
	l.server = &http.Server{Handler: l.routes(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = l.server.Serve(listener) }() // ends with Close
	return l, nil
}

// Close stops the server.
func (l *Lab) Close() error { return l.server.Close() }

// Fetches returns how often the key set was fetched.
func (l *Lab) Fetches() int64 { return l.fetch.Load() }

// Called returns how often the listener was called: it must stay 0.
func (l *Lab) Called() int64 { return l.called.Load() }

func (l *Lab) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+realmPath+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": l.Issuer, "jwks_uri": l.Issuer + "/certs"})
	})
	mux.HandleFunc("GET "+realmPath+"/certs", func(w http.ResponseWriter, _ *http.Request) {
		l.fetch.Add(1)
		_, _ = w.Write(l.jwks)
	})
	mux.HandleFunc("/listener", func(http.ResponseWriter, *http.Request) { l.called.Add(1) })
	return mux
}

// makeKeys makes the keys that the file names under keys.in_jwks and
// keys.not_in_jwks.
func (l *Lab) makeKeys() error {
	for _, name := range []string{"rsa-current", "rsa-next", "rsa-enc", "rsa-attacker", "rsa-retired"} {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		l.keys[name] = labKey{private: private, alg: "RS256", use: "sig", publish: name == "rsa-current" || name == "rsa-next"}
	}
	l.keys["rsa-enc"] = labKey{private: l.keys["rsa-enc"].private, alg: "RSA-OAEP", use: "enc", publish: true}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make ec-current: %w", err)
	}
	l.keys["ec-current"] = labKey{private: ec, alg: "ES256", use: "sig", publish: true}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make ed-current: %w", err)
	}
	l.keys["ed-current"] = labKey{private: ed, alg: "EdDSA", use: "sig", publish: true}
	return nil
}

func (l *Lab) encodeKeys() ([]byte, error) {
	var keys []map[string]any
	for name, k := range l.keys {
		if !k.publish {
			continue
		}
		jwk, err := publicJWK(k.private.Public())
		if err != nil {
			return nil, err
		}
		jwk["kid"], jwk["alg"], jwk["use"] = name, k.alg, k.use
		keys = append(keys, jwk)
	}
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		return nil, fmt.Errorf("encode the key set: %w", err)
	}
	return b, nil
}

// publicJWK returns the members that describe a public key.
func publicJWK(public crypto.PublicKey) (map[string]any, error) {
	enc := base64.RawURLEncoding.EncodeToString
	switch pub := public.(type) {
	case *rsa.PublicKey:
		e := binary.BigEndian.AppendUint32(nil, uint32(pub.E)) //nolint:gosec // 65537
		return map[string]any{"kty": "RSA", "n": enc(pub.N.Bytes()), "e": enc(e[1:])}, nil
	case *ecdsa.PublicKey:
		point, err := pub.Bytes()
		if err != nil {
			return nil, fmt.Errorf("encode a key: %w", err)
		}
		size := len(point) / 2
		return map[string]any{"kty": "EC", "crv": pub.Params().Name, "x": enc(point[1 : 1+size]), "y": enc(point[1+size:])}, nil
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": enc(pub)}, nil
	default:
		return nil, fmt.Errorf("encode a key: %T", public)
	}
}
