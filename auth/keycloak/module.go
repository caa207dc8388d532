package keycloak

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/internal/nearest"
)

func init() {
	caddy.RegisterModule(new(Module))
}

// storageTimeout bounds a call to Caddy's storage.
const storageTimeout = 5 * time.Second

// pool holds the key sets that configurations share, so that a reload drops
// none.
var pool = caddy.NewUsagePool()

// poolKey is what two configurations must agree in to share a key set.
type poolKey struct{ realm, issuer string }

// Module verifies the access tokens of a Keycloak realm.
//
// A token is accepted when the realm signed it, it has not expired, it was
// issued for this gateway (`aud`) and to one of the accepted clients (`azp`),
// and it names a tier that the site has. The audience alone proves nothing:
// another client's mapper can add it, so keep the list of clients short.
//
// Keys are fetched in the background and on sight of an unknown key id, at most
// every ten seconds. While the realm cannot be reached, its last keys serve for
// a day, also after a restart; after that, callers get 503, never 401.
type Module struct {
	// The realm's URL as the gateway reaches it: https://host/realms/name.
	// Placeholders allowed. Plain http is accepted towards this machine,
	// private addresses, names without a dot, and names below .svc,
	// .svc.cluster.local, .local and .localhost. Required.
	Realm string `json:"realm,omitempty"`

	// The exact `iss` of the realm's tokens, where people reach the realm by
	// another URL than the gateway does. Placeholders allowed. Default: the
	// realm's URL.
	Issuer string `json:"issuer,omitempty"`

	// What `aud` must contain. Default: llm-gateway.
	Audience string `json:"audience,omitempty"`

	// The clients whose tokens are accepted (`azp`); `any` alone accepts every
	// client of the realm. Default: claude-cli.
	Clients []string `json:"clients,omitempty"`

	// Where the tier stands, in order; the first that yields a tier of the
	// site decides. Of several tiers in one place the one that stands last in
	// the site's list wins. Default: claim subscription_tier, role tier-*,
	// group /tiers/*.
	TierFrom []TierSource `json:"tier_from,omitempty"`

	// Values in tokens and the tiers that they mean here. Default: none.
	TierMap map[string]string `json:"tier_map,omitempty"`

	// The tier of people without one; `refuse` refuses them. Default: refuse.
	DefaultTier string `json:"default_tier,omitempty"`

	// The accepted signature algorithms, of RS256, RS384, RS512, ES256, ES384,
	// ES512 and EdDSA. Default: RS256, ES256, EdDSA.
	Algorithms []string `json:"algorithms,omitempty"`

	// Tokens issued earlier are refused (RFC 3339). Default: none are.
	NotBefore time.Time `json:"not_before,omitzero"`

	// Lets service accounts in, which belong to no person. Default: false.
	ServiceAccounts bool `json:"service_accounts,omitempty"`

	key      poolKey
	keys     *Keys // acquired from the pool; nil before Bind
	keep     Keep
	logger   *zap.Logger
	verifier *Verifier
	started  bool
}

// refuse is the word for no default tier.
const refuse = "refuse"

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "llm_gateway.auth.keycloak", New: func() caddy.Module { return new(Module) }}
}

// Provision resolves placeholders. It asks nobody.
func (m *Module) Provision(ctx caddy.Context) error {
	m.logger = ctx.Logger()
	repl := caddy.NewReplacer()
	realm, err := repl.ReplaceOrErr(m.Realm, true, true)
	if err != nil {
		return fmt.Errorf("auth keycloak: the realm URL: %w", err)
	}
	if m.key.realm, err = RealmURL(realm); err != nil {
		return fmt.Errorf("auth keycloak: %w", err)
	}
	m.key.issuer = m.key.realm
	if m.Issuer != "" {
		if m.key.issuer, err = repl.ReplaceOrErr(m.Issuer, true, true); err != nil {
			return fmt.Errorf("auth keycloak: issuer: %w", err)
		}
	}
	sum := sha256.Sum256([]byte(m.key.realm))
	m.keep = storage{in: ctx.Storage(), name: "llm_gateway/jwks/" + hex.EncodeToString(sum[:8]) + ".json"}
	return nil
}

// Bind makes the verifier for a site and takes part in the realm's key set.
func (m *Module) Bind(site auth.Site) error {
	if m.keys != nil {
		return errors.New("auth keycloak: bound twice")
	}
	config := Config{
		Issuer: m.key.issuer, Audience: m.Audience, Clients: m.Clients, TierFrom: m.TierFrom, TierMap: m.TierMap,
		Algorithms: m.Algorithms, NotBefore: m.NotBefore, ServiceAccounts: m.ServiceAccounts, Tiers: site.Tiers,
	}
	if m.DefaultTier != refuse {
		config.DefaultTier = m.DefaultTier
	}
	shared, _, err := pool.LoadOrNew(m.key, func() (caddy.Destructor, error) {
		return pooled{NewKeys(m.key.realm, m.key.issuer, site.Now, site.Logger, m.keep)}, nil
	})
	if err != nil {
		return fmt.Errorf("auth keycloak: %w", err)
	}
	m.keys = shared.(pooled).Keys //nolint:forcetypeassert // the pool is ours
	m.logger = site.Logger
	if m.verifier, err = New(config, m.keys, site.Now); err != nil {
		return fmt.Errorf("auth keycloak: %w", err)
	}
	return nil
}

// pooled is a key set as the pool holds it. Its goroutine belongs to Start and
// Stop, so nothing is left to destruct.
type pooled struct{ *Keys }

// Destruct does nothing.
func (pooled) Destruct() error { return nil }

// Start begins the refresh of the keys, or takes part in it.
func (m *Module) Start() error {
	if m.keys == nil || m.started {
		return nil
	}
	m.started = true
	m.keys.Adopt(m.logger, m.keep)
	m.keys.Start()
	return nil
}

// Stop ends the refresh unless a newer configuration takes part in it.
func (m *Module) Stop() error {
	if m.started {
		m.started = false
		m.keys.Stop()
	}
	return nil
}

// Cleanup leaves the pool.
func (m *Module) Cleanup() error {
	if m.keys == nil {
		return nil
	}
	err := m.Stop()
	m.keys = nil
	if _, poolErr := pool.Delete(m.key); poolErr != nil {
		err = errors.Join(err, poolErr)
	}
	return err
}

// Recognizes reports whether the token has three segments.
func (m *Module) Recognizes(token string) bool { return m.verifier.Recognizes(token) }

// Verify returns the principal of a token. Every error is an [*auth.Error].
func (m *Module) Verify(ctx context.Context, token string) (*auth.Principal, error) {
	return m.verifier.Verify(ctx, token)
}

// TokenIssuer returns the `iss` of the tokens that are accepted.
func (m *Module) TokenIssuer() string { return m.key.issuer }

// KeysAge returns how old the key set is; 0 without one.
func (m *Module) KeysAge() time.Duration { return m.verifier.KeysAge() }

// Ready reports whether tokens can be verified now.
func (m *Module) Ready() bool { return m.verifier.Ready() }

// storage is a [Keep] in Caddy's storage.
type storage struct {
	in interface {
		Load(ctx context.Context, key string) ([]byte, error)
		Store(ctx context.Context, key string, value []byte) error
	}
	name string
}

func (s storage) Load() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storageTimeout)
	defer cancel()
	b, err := s.in.Load(ctx, s.name)
	if err != nil {
		return nil, fmt.Errorf("load the kept keys: %w", err)
	}
	return b, nil
}

func (s storage) Save(b []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), storageTimeout)
	defer cancel()
	if err := s.in.Store(ctx, s.name, b); err != nil {
		return fmt.Errorf("keep the keys: %w", err)
	}
	return nil
}

// options are the words of the block.
var options = []string{
	"issuer", "audience", "clients", "tier_from", "tier_map", "default_tier",
	"algorithms", "not_before", "service_accounts",
}

// UnmarshalCaddyfile reads the realm and the block. Syntax:
//
//	keycloak <realm URL> {
//	    issuer           <iss>
//	    audience         <aud>
//	    clients          <azp...>|any
//	    tier_from        claim|role|group <name or pattern>   (several)
//	    tier_map         <value> <tier>                       (several)
//	    default_tier     <tier>|refuse
//	    algorithms       <alg...>
//	    not_before       <RFC 3339 time>
//	    service_accounts allow|refuse
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if !d.NextArg() {
		return d.Err("auth keycloak: the realm URL is missing, e.g. auth keycloak https://login.example.com/realms/ai")
	}
	m.Realm = d.Val()
	if d.NextArg() {
		return d.Errf("auth keycloak: %q follows the realm URL; options stand in a block", d.Val())
	}
	seen := map[string]bool{}
	for d.NextBlock(0) {
		key := d.Val()
		if seen[key] && key != "tier_from" && key != "tier_map" {
			return d.Errf("auth keycloak: %s given twice", key)
		}
		seen[key] = true
		if err := m.option(d, key); err != nil {
			return err
		}
	}
	return nil
}

// option reads one line of the block.
func (m *Module) option(d *caddyfile.Dispenser, key string) error {
	switch key {
	case "issuer":
		return one(d, &m.Issuer)
	case "audience":
		return one(d, &m.Audience)
	case "clients":
		return several(d, &m.Clients)
	case "algorithms":
		return several(d, &m.Algorithms)
	case "default_tier":
		return one(d, &m.DefaultTier)
	case "tier_from":
		return m.tierFrom(d)
	case "tier_map":
		return m.tierMap(d)
	case "not_before":
		return m.notBefore(d)
	case "service_accounts":
		return m.serviceAccounts(d)
	default:
		meant := ""
		if word, ok := nearest.Word(key, options); ok {
			meant = fmt.Sprintf("did you mean %s? ", word)
		}
		return d.Errf("auth keycloak: unknown option %q (%sknown: %s)", key, meant, strings.Join(options, ", "))
	}
}

func (m *Module) tierFrom(d *caddyfile.Dispenser) error {
	var source TierSource
	if !d.AllArgs(&source.From, &source.Match) {
		return d.Err("auth keycloak: tier_from takes two words, e.g. tier_from group /tiers/*")
	}
	if !slices.Contains([]string{FromClaim, FromRole, FromGroup}, source.From) {
		return d.Errf("auth keycloak: tier_from %q: claim, role or group", source.From)
	}
	if slices.Contains(m.TierFrom, source) {
		return d.Errf("auth keycloak: tier_from %s %s given twice", source.From, source.Match)
	}
	m.TierFrom = append(m.TierFrom, source)
	return nil
}

func (m *Module) tierMap(d *caddyfile.Dispenser) error {
	var value, tier string
	if !d.AllArgs(&value, &tier) {
		return d.Err("auth keycloak: tier_map takes the value in the token and the tier here, e.g. tier_map staff pro")
	}
	if _, twice := m.TierMap[value]; twice {
		return d.Errf("auth keycloak: tier_map %s given twice", value)
	}
	if m.TierMap == nil {
		m.TierMap = map[string]string{}
	}
	m.TierMap[value] = tier
	return nil
}

func (m *Module) notBefore(d *caddyfile.Dispenser) error {
	var text string
	if err := one(d, &text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return d.Errf("auth keycloak: not_before %q is not a time like 2026-11-01T00:00:00Z", text)
	}
	m.NotBefore = at
	return nil
}

func (m *Module) serviceAccounts(d *caddyfile.Dispenser) error {
	var word string
	if err := one(d, &word); err != nil {
		return err
	}
	if word != "allow" && word != refuse {
		return d.Errf("auth keycloak: service_accounts %q: allow or refuse", word)
	}
	m.ServiceAccounts = word == "allow"
	return nil
}

// one reads the one word of an option.
func one(d *caddyfile.Dispenser, into *string) error {
	key := d.Val()
	if !d.AllArgs(into) || *into == "" {
		return d.Errf("auth keycloak: %s takes one word", key)
	}
	return nil
}

// several reads the words of an option, none of them twice.
func several(d *caddyfile.Dispenser, into *[]string) error {
	key := d.Val()
	words := d.RemainingArgs()
	if len(words) == 0 {
		return d.Errf("auth keycloak: %s takes at least one word", key)
	}
	for i, word := range words {
		if slices.Contains(words[:i], word) {
			return d.Errf("auth keycloak: %s names %s twice", key, word)
		}
	}
	*into = words
	return nil
}

// Interface guards.
var (
	_ auth.Guest            = (*Module)(nil)
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.CleanerUpper    = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
