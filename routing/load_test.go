package routing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/routing"
)

func TestLoadErrors(t *testing.T) {
	tier := func(change func(*routing.Tier)) []routing.Tier {
		free := routing.Tier{Name: "free", Allow: []string{"internal", "claude/*haiku*"}}
		change(&free)
		return []routing.Tier{free}
	}
	to := func(word string) func(*routing.Tier) {
		return func(t *routing.Tier) { t.Rules = []routing.Rule{{Match: []string{"*opus*"}, To: word}} }
	}
	explicit := routing.Backend{Name: "internal", API: routing.VLLM, Models: []string{"qwen3-*", "llama-70b"}, Explicit: true}
	closed := []routing.Backend{explicit, house()[1], house()[2]}
	for _, tc := range []struct {
		name     string
		backends []routing.Backend
		tiers    []routing.Tier
		want     []string // parts of the one error
	}{
		{name: "target outside the wall", tiers: tier(to("claude-opus-5-5")), want: []string{`tier free: route target: "claude-opus-5-5"`, "outside the tier's wall", "allow claude/claude-opus-5-5"}},
		{name: "target on a backend outside the wall", tiers: tier(to("openai/gpt-4")), want: []string{"outside the tier's wall, on backend openai"}},
		{name: "a glob as a target", tiers: tier(to("claude-*")), want: []string{`"claude-*" is a glob`, "route *opus* to claude-haiku-4-5"}},
		{name: "a target that nobody has", backends: closed, tiers: tier(to("llama-70")), want: []string{`"llama-70" is a model that no backend has`, `did you mean "llama-70b"?`}},
		{name: "a route without names", tiers: tier(func(t *routing.Tier) { t.Rules = []routing.Rule{{To: "qwen3-32b"}} }), want: []string{"matches nothing"}},
		{name: "unknown backend in the wall", tiers: tier(func(t *routing.Tier) { t.Allow = []string{"internl"} }), want: []string{`"internl" is no backend`, `did you mean "internal"?`, "allow internal claude/*haiku*"}},
		{name: "unknown backend before a slash", tiers: tier(func(t *routing.Tier) { t.Allow = []string{"internal", "claud/*"} }), want: []string{`"claud" is no backend`, `did you mean "claude"?`}},
		{name: "nothing behind the slash", tiers: tier(func(t *routing.Tier) { t.Allow = []string{"internal/"} }), want: []string{"names no model behind the slash"}},
		{name: "default outside the wall", tiers: tier(func(t *routing.Tier) { t.Default = "gpt-4" }), want: []string{"default", "outside the tier's wall"}},
		{name: "default leaves the house", tiers: tier(func(t *routing.Tier) { t.Default = "claude-haiku-4-5" }), want: []string{"out of the house", "default claude-haiku-4-5 external"}},
		{name: "a tier without a name", tiers: tier(func(t *routing.Tier) { t.Name = "" }), want: []string{"without a name"}},
		{name: "two tiers of one name", tiers: append(tier(func(*routing.Tier) {}), tier(func(*routing.Tier) {})...), want: []string{`"free" is the name of another tier too`}},
		{name: "two backends of one name", backends: append(house(), house()[0]), want: []string{`"internal" is the name of another backend too`}},
		{name: "one glob on two backends", backends: []routing.Backend{explicit, {Name: "b", API: routing.VLLM, Models: []string{"qwen3-*"}, Explicit: true}}, want: []string{`backend b: "qwen3-*" is claimed by backend internal too`}},
		{name: "one default glob on two backends", backends: append(house(), routing.Backend{Name: "claude2", API: routing.Anthropic}), want: []string{`backend claude2: "claude-*" is claimed`}},
		{name: "one public name twice", backends: []routing.Backend{{Name: "a", API: routing.VLLM, Names: []routing.PublicName{{Public: "x", Upstream: "y"}}}, {Name: "b", API: routing.VLLM, Names: []routing.PublicName{{Public: "x", Upstream: "z"}}}}, want: []string{`"x" is a public name of backend a already`}},
		{name: "a glob behind a public name", backends: []routing.Backend{{Name: "a", API: routing.VLLM, Names: []routing.PublicName{{Public: "x", Upstream: "y*"}}}}, want: []string{"not the id of one model"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.backends == nil {
				tc.backends = house()
			}
			table, errs, _ := routing.NewTable(tc.backends, tc.tiers)
			if len(errs) != 1 || table != nil {
				t.Fatalf("errors %v, want one and no table", errs)
			}
			for _, part := range append(tc.want, "(example: ") {
				if !strings.Contains(errs[0].Error(), part) {
					t.Errorf("%q lacks %q", errs[0], part)
				}
			}
			var load *routing.LoadError
			if !errors.As(errs[0], &load) {
				t.Errorf("%T is no LoadError", errs[0])
			}
		})
	}
}

// An optional key that is empty disables its backend and must not fail the load.
func TestDisabledBackendIsLeftOut(t *testing.T) {
	backends := house()
	backends[1].Disabled = true
	tiers := []routing.Tier{{
		Name: "pro", Allow: []string{"internal", "claude"}, Default: "qwen3-32b",
		Rules: []routing.Rule{{Match: []string{"*opus*"}, To: "claude-haiku-4-5"}, {Match: []string{"*sonnet*"}, To: "claude/claude-haiku-4-5"}},
	}}
	table, errs, warnings := routing.NewTable(backends, tiers)
	if len(errs) > 0 || len(warnings) != 3 {
		t.Fatalf("errors %v, warnings %q", errs, warnings)
	}
	for _, asked := range []string{"claude-opus-5-5", "claude-haiku-4-5", "claude-3-haiku"} {
		if r, err := table.Resolve("pro", asked); err != nil || r.Backend != "internal" {
			t.Errorf("%s: %+v, %v", asked, r, err)
		}
	}
}

func TestDefaultTiersOfPartOfAHouse(t *testing.T) {
	all := house()
	named := []routing.Backend{{Name: "local", API: routing.OpenAICompatible, Models: []string{"llama3"}, Explicit: true}}
	renamed := []routing.Backend{{Name: "v", API: routing.VLLM, Names: []routing.PublicName{{Public: "conf-vllm", Upstream: "mistral"}}}}
	off := house()
	off[0].Disabled = true
	outside := []routing.Backend{{Name: "rented", API: routing.VLLM, External: true}, all[1]}
	for _, tc := range []struct {
		name     string
		backends []routing.Backend
		tier     string
		asked    string
		want     string // backend/upstream; "" is refused
		warnings int
	}{
		{name: "internal only", backends: all[:1], tier: "pro", asked: "claude-opus-5-5", want: "internal/qwen3-32b", warnings: 2},
		{name: "internal only: enterprise too", backends: all[:1], tier: "enterprise", asked: "claude-sonnet-5", want: "internal/qwen3-32b", warnings: 2},
		{name: "the model that configuration names", backends: named, tier: "free", asked: "gpt-4", want: "local/llama3", warnings: 2},
		{name: "the model behind a public name", backends: renamed, tier: "free", asked: "gpt-4", want: "v/mistral", warnings: 2},
		{name: "no internal backend: free has nothing", backends: off, tier: "free", asked: "claude-opus-5-5", warnings: 1},
		{name: "no internal backend: pro has Haiku", backends: off, tier: "pro", asked: "claude-opus-5-5", want: "claude/claude-haiku-4-5-20251001", warnings: 1},
		{name: "a rented vLLM is not internal", backends: outside, tier: "free", asked: "qwen3-32b", warnings: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tiers, warnings := routing.DefaultTiers(tc.backends)
			if len(warnings) != tc.warnings {
				t.Errorf("warnings %q, want %d", warnings, tc.warnings)
			}
			r, err := mustTable(t, tc.backends, tiers).Resolve(tc.tier, tc.asked)
			got := ""
			if err == nil {
				got = r.Backend + "/" + r.Upstream
			}
			if got != tc.want {
				t.Errorf("Resolve(%q, %q) = %q, %v; want %q", tc.tier, tc.asked, got, err, tc.want)
			}
		})
	}
}
