package keycloak

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// AnyClient in [Config.Clients] accepts every client of the realm.
const AnyClient = "any"

// leeway is how far the issuer's clock may be from ours.
const leeway = 30 * time.Second

// maxLifetime is the longest life of an access token that we believe.
const maxLifetime = 24 * time.Hour

// The kinds of [TierSource].
const (
	FromClaim = "claim"
	FromRole  = "role"
	FromGroup = "group"
)

// TierSource is one place in a token where a tier may stand.
type TierSource struct {
	// `claim`: the text of the claim named by match. `role`: a realm role, or a
	// role of the client that is our audience. `group`: a full group path.
	From string `json:"from"`
	// The claim's name; or the role or group, where one `*` stands for the
	// tier (`tier-*`, `/tiers/*`).
	Match string `json:"match"`
}

// Config is what a [Verifier] accepts. The zero value of a field has the
// default that the field names.
type Config struct {
	// Issuer is the exact `iss`. Required.
	Issuer string
	// Audience must be in `aud`. Default: llm-gateway.
	Audience string
	// Clients are the accepted `azp`, or [AnyClient] alone. Default: claude-cli.
	Clients []string
	// TierFrom is searched in order; the first source that yields a configured
	// tier decides. Default: claim subscription_tier, role tier-*, group /tiers/*.
	TierFrom []TierSource
	// TierMap turns values of tokens into tiers. Default: none.
	TierMap map[string]string
	// DefaultTier is for people without a tier. Default: they are refused.
	DefaultTier string
	// Algorithms are the accepted `alg`. Default: RS256, ES256, EdDSA.
	Algorithms []string
	// NotBefore refuses tokens issued earlier. Default: none.
	NotBefore time.Time
	// ServiceAccounts lets clients without a person in. Default: people only.
	ServiceAccounts bool
	// Tiers are the site's tiers in file order: of several in one source the
	// one that stands last wins.
	Tiers []string
}

// complete returns the config with its defaults filled in.
func (c Config) complete() (Config, error) {
	if c.Issuer == "" {
		return c, errors.New("no issuer")
	}
	if c.Audience == "" {
		c.Audience = "llm-gateway"
	}
	if len(c.Clients) == 0 {
		c.Clients = []string{"claude-cli"}
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{"RS256", "ES256", "EdDSA"}
	}
	if len(c.TierFrom) == 0 {
		c.TierFrom = []TierSource{{FromClaim, "subscription_tier"}, {FromRole, "tier-*"}, {FromGroup, "/tiers/*"}}
	}
	return c, errors.Join(c.checkLists(), c.checkTierSources(), c.checkTiers())
}

func (c Config) checkLists() error {
	for _, alg := range c.Algorithms {
		if methods[alg] == nil {
			return fmt.Errorf("algorithms: %q is not one of RS256, RS384, RS512, ES256, ES384, ES512, EdDSA", alg)
		}
	}
	if slices.Contains(c.Clients, "") || slices.Contains(c.Clients, AnyClient) && len(c.Clients) > 1 {
		return errors.New("clients: names, or `any` alone")
	}
	return nil
}

func (c Config) checkTierSources() error {
	for _, source := range c.TierFrom {
		if source.Match == "" {
			return fmt.Errorf("tier_from %s: no name", source.From)
		}
		switch stars := strings.Count(source.Match, "*"); source.From {
		case FromClaim:
			if stars > 0 {
				return fmt.Errorf("tier_from claim %s: a claim has a name, not a pattern", source.Match)
			}
		case FromRole, FromGroup:
			if stars > 1 {
				return fmt.Errorf("tier_from %s %s: at most one `*`", source.From, source.Match)
			}
		default:
			return fmt.Errorf("tier_from %q: claim, role or group", source.From)
		}
	}
	return nil
}

// checkTiers refuses settings that name a tier which the site does not have.
func (c Config) checkTiers() error {
	known := strings.Join(c.Tiers, ", ")
	if c.DefaultTier != "" && !slices.Contains(c.Tiers, c.DefaultTier) {
		return fmt.Errorf("default_tier %s: no such tier (known: %s)", c.DefaultTier, known)
	}
	for value, tier := range c.TierMap {
		if !slices.Contains(c.Tiers, tier) {
			return fmt.Errorf("tier_map %s %s: no such tier (known: %s)", value, tier, known)
		}
	}
	return nil
}
