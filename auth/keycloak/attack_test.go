package keycloak_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/keycloak"
	"github.com/openova-io/llm-gateway/auth/keycloak/attacktest"
)

var tiers = []string{"free", "pro", "enterprise"}

// gate is the way of a request through this package, as the handler walks it.
type gate struct {
	chain auth.Chain
}

func (g gate) admit(ctx context.Context, a *attacktest.Attempt) (*auth.Principal, error) {
	token, refused := auth.FromHeader(a.Header)
	if refused != nil {
		return nil, refused
	}
	return g.chain.Verify(ctx, token)
}

func TestAttacks(t *testing.T) {
	file, err := os.ReadFile("testdata/jwt-attacks.json")
	if err != nil {
		t.Fatal(err)
	}
	suite, err := attacktest.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	lab, err := attacktest.NewLab(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.Close() })
	now := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	keys := keycloak.NewKeys(lab.Issuer, lab.Issuer, clock, zap.NewNop(), nil)
	keys.Start()
	t.Cleanup(keys.Stop)
	verifier, err := keycloak.New(keycloak.Config{Issuer: lab.Issuer, Tiers: tiers, DefaultTier: "free"}, keys, clock)
	if err != nil {
		t.Fatal(err)
	}
	g := gate{auth.Chain{verifier}}
	for _, c := range suite.Cases {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			attempt, err := lab.Attempt(suite, c, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range attempt.First {
				if p, err := g.chain.Verify(t.Context(), token); err == nil {
					t.Fatalf("the poison got through as %+v", p)
				}
			}
			before := lab.Fetches()
			p, err := g.admit(t.Context(), attempt)
			judge(t, c, attempt, p, err)
			if c.Expect == "no-fetch" && lab.Fetches() != before {
				t.Errorf("%d fetches", lab.Fetches()-before)
			}
		})
	}
	if lab.Called() != 0 {
		t.Errorf("the listener was called %d times", lab.Called())
	}
	if lab.Fetches() > 2 {
		t.Errorf("%d fetches in one instant; want the first and one for all unknown kids", lab.Fetches())
	}
}

// judge holds an outcome against the case. A refusal must be a verdict on the
// credential: "unavailable" would let attackers hide behind an outage.
func judge(t *testing.T, c attacktest.Case, a *attacktest.Attempt, p *auth.Principal, err error) {
	t.Helper()
	var refused *auth.Error
	if err != nil && (!errors.As(err, &refused) || refused.Reason == auth.ReasonUnavailable) {
		t.Fatalf("error %v; want a verdict", err)
	}
	switch c.Expect {
	case "accept", "accept-as-sub":
		if err != nil || p.ID != a.Sub || p.Tier != "pro" {
			t.Errorf("got %+v, %v; want %s on pro (%s)", p, err, a.Sub, c.Why)
		}
	case "reject":
		if err == nil {
			t.Errorf("got through as %+v; want a refusal: %s (%s)", p, c.Reason, c.Why)
		}
	case "tier:default-or-reject":
		if err == nil && p.Tier != "free" {
			t.Errorf("got tier %s; want the default or a refusal (%s)", p.Tier, c.Why)
		}
	case "no-fetch":
	default:
		t.Fatalf("unknown expectation %q", c.Expect)
	}
}
