// Package gate is the least that our gateway does to a request before it is
// forwarded: verify a token, make one Redis script call, change the model name.
// It exists to be measured as a floor and does nothing carefully.
package gate

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"

	"llmgwfloor/jsonmodel"
)

// Options choose what a Gate does.
type Options struct {
	JWKS    string `json:"jwks,omitempty"`    // JWKS file; empty: no token check
	Issuer  string `json:"issuer,omitempty"`  // issuer the tokens must name
	Redis   string `json:"redis,omitempty"`   // address; empty: no quota call
	Settle  bool   `json:"settle,omitempty"`  // a second call to Redis, once the answer is out
	Rewrite bool   `json:"rewrite,omitempty"` // read the whole body and change the model in it
}

const script = `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
local max = tonumber(ARGV[1])
if max >= 0 and n > max then redis.call('DECR', KEYS[1]); return {0, n - 1} end
return {1, n}`

// settleScript books the charge as used: the least that a settlement writes.
const settleScript = `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return n`

type claims struct {
	jwt.RegisteredClaims
	Tier string `json:"tier"`
}

type identity struct {
	user, tier string
	exp        int64
}

// Gate applies Options to requests.
type Gate struct {
	Options
	key    *rsa.PublicKey
	parser *jwt.Parser
	seen   sync.Map // token -> *identity
	rdb    *redis.Client
	sha    string
	settle string // the settlement script's hash
	bodies sync.Pool
}

// New reads the keys and connects to Redis.
func New(o Options) (*Gate, error) {
	g := &Gate{Options: o, bodies: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	if o.JWKS != "" {
		if err := g.loadKey(); err != nil {
			return nil, err
		}
	}
	if o.Redis != "" {
		g.rdb = redis.NewClient(&redis.Options{Addr: o.Redis, PoolSize: 64})
		var err error
		if g.sha, err = g.rdb.ScriptLoad(context.Background(), script).Result(); err != nil {
			return nil, err
		}
		if g.settle, err = g.rdb.ScriptLoad(context.Background(), settleScript).Result(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *Gate) loadKey() error {
	b, err := os.ReadFile(g.JWKS)
	if err != nil {
		return err
	}
	var set struct {
		Keys []struct{ Kty, N, E string }
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return err
	}
	num := func(s string) *big.Int {
		b, _ := base64.RawURLEncoding.DecodeString(s)
		return new(big.Int).SetBytes(b)
	}
	for _, k := range set.Keys {
		if k.Kty == "RSA" {
			g.key = &rsa.PublicKey{N: num(k.N), E: int(num(k.E).Int64())}
		}
	}
	g.parser = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(g.Issuer), jwt.WithAudience("llm-gateway"), jwt.WithExpirationRequired())
	return nil
}

func (g *Gate) who(r *http.Request) *identity {
	tok, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	if v, ok := g.seen.Load(tok); ok && v.(*identity).exp > time.Now().Unix() {
		return v.(*identity)
	}
	var c claims
	if _, err := g.parser.ParseWithClaims(tok, &c, func(*jwt.Token) (any, error) { return g.key, nil }); err != nil {
		return nil
	}
	id := &identity{c.Subject, c.Tier, c.ExpiresAt.Unix()}
	g.seen.Store(strings.Clone(tok), id)
	return id
}

// Serve admits the request and hands it to next, or refuses it.
func (g *Gate) Serve(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	user := "anyone"
	if g.parser != nil {
		id := g.who(r)
		if id == nil {
			http.Error(w, `{"type":"error","error":{"type":"authentication_error","message":"bad token"}}`, http.StatusUnauthorized)
			return nil
		}
		user = id.user
		r.Header.Del("Authorization")
	}
	if g.rdb != nil {
		day := "q:{" + user + "}:" + time.Now().UTC().Format("20060102")
		v, err := g.rdb.EvalSha(r.Context(), g.sha, []string{day}, int64(1)<<40, 86400).Int64Slice()
		if err != nil || v[0] == 0 {
			http.Error(w, `{"type":"error","error":{"type":"rate_limit_error","message":"quota"}}`, http.StatusTooManyRequests)
			return nil
		}
		if g.Settle {
			// Neither batched nor bounded: one call a request, off the caller's path.
			defer func() {
				go g.rdb.EvalSha(context.Background(), g.settle, []string{day + ":settled"}, 86400)
			}()
		}
	}
	if g.Rewrite && r.Body != nil {
		buf := g.bodies.Get().(*bytes.Buffer)
		buf.Reset()
		defer g.bodies.Put(buf)
		if err := g.remodel(r, buf); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return nil
		}
	}
	return next(w, r)
}

const maxBody = 64 << 20

// remodel reads the body into buf, which must live until the request is done,
// and replaces the model's name in it.
func (g *Gate) remodel(r *http.Request, buf *bytes.Buffer) error {
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, maxBody)) + bytes.MinRead)
	}
	if _, err := io.Copy(buf, io.LimitReader(r.Body, maxBody)); err != nil {
		return err
	}
	b := buf.Bytes()
	a, z, err := jsonmodel.Find(b)
	if err != nil {
		return err
	}
	const to = "qwen3-32b"
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b[:a]), strings.NewReader(to), bytes.NewReader(b[z:]), rest), rest}
	if r.ContentLength >= 0 {
		r.ContentLength += int64(len(to) - (z - a))
	}
	r.Header.Del("Content-Length")
	return nil
}
