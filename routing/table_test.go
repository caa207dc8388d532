package routing_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/routing"
)

// house is the mission's: vLLM inside, Claude and OpenAI outside.
func house() []routing.Backend {
	return []routing.Backend{
		{Name: "internal", API: routing.VLLM},
		{Name: "claude", API: routing.Anthropic, External: true},
		{Name: "openai", API: routing.OpenAI, External: true},
	}
}

func mustTable(t testing.TB, backends []routing.Backend, tiers []routing.Tier) *routing.Table {
	t.Helper()
	table, errs, _ := routing.NewTable(backends, tiers)
	if len(errs) > 0 {
		t.Fatalf("NewTable: %v", errors.Join(errs...))
	}
	return table
}

func defaultTable(t testing.TB) *routing.Table {
	t.Helper()
	tiers, warnings := routing.DefaultTiers(house())
	if len(warnings) > 0 {
		t.Fatalf("DefaultTiers warns of a whole house: %v", warnings)
	}
	return mustTable(t, house(), tiers)
}

func TestDefaultTiers(t *testing.T) {
	table := defaultTable(t)
	for _, tc := range []struct {
		tier, asked, backend, model, upstream string
		reason                                routing.Reason
		err                                   error
	}{
		// The mission's own examples.
		{tier: "free", asked: "claude-3-opus", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "free", asked: "claude-3-sonnet", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "free", asked: "gpt-4", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "pro", asked: "claude-3-opus", backend: "claude", model: "claude-3-haiku", upstream: "claude-haiku-4-5-20251001", reason: routing.ReasonRule},
		{tier: "pro", asked: "claude-3-sonnet", backend: "claude", model: "claude-3-haiku", upstream: "claude-haiku-4-5-20251001", reason: routing.ReasonRule},
		{tier: "pro", asked: "claude-3-haiku", backend: "claude", model: "claude-3-haiku", upstream: "claude-haiku-4-5-20251001", reason: routing.ReasonAsked},
		{tier: "pro", asked: "gpt-4", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "enterprise", asked: "claude-3-opus", backend: "claude", model: "claude-3-opus", upstream: "claude-opus-5-5", reason: routing.ReasonAsked},
		{tier: "enterprise", asked: "claude-3-sonnet", backend: "claude", model: "claude-3-sonnet", upstream: "claude-sonnet-5-5", reason: routing.ReasonAsked},
		{tier: "enterprise", asked: "claude-3-haiku", backend: "claude", model: "claude-3-haiku", upstream: "claude-haiku-4-5-20251001", reason: routing.ReasonAsked},
		{tier: "enterprise", asked: "gpt-4", backend: "openai", model: "gpt-4", upstream: "gpt-4", reason: routing.ReasonAsked},
		{tier: "enterprise", asked: "qwen3-32b", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonAsked},
		// Today's names go where their families do.
		{tier: "free", asked: "claude-opus-5-5", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "free", asked: "claude-haiku-4-5-20251001", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "pro", asked: "claude-opus-4-7", backend: "claude", model: "claude-3-haiku", upstream: "claude-haiku-4-5-20251001", reason: routing.ReasonRule},
		{tier: "pro", asked: "claude-haiku-5-5", backend: "claude", model: "claude-haiku-5-5", upstream: "claude-haiku-5-5", reason: routing.ReasonAsked},
		{tier: "pro", asked: "gpt-5-mini", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "enterprise", asked: "o3-mini", backend: "openai", model: "o3-mini", upstream: "o3-mini", reason: routing.ReasonAsked},
		// Claude Code's classifier.
		{tier: "free", asked: "claude-sonnet-5", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "pro", asked: "claude-sonnet-5", backend: "claude", model: "claude-3-haiku", upstream: "claude-haiku-4-5-20251001", reason: routing.ReasonRule},
		{tier: "enterprise", asked: "claude-sonnet-5", backend: "claude", model: "claude-sonnet-5", upstream: "claude-sonnet-5", reason: routing.ReasonAsked},
		// The name for Claude Code's picker.
		{tier: "free", asked: "claude-internal-qwen3-32b", backend: "internal", model: "claude-internal-qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonAsked},
		// Nobody mentioned these: never past the wall.
		{tier: "free", asked: "claude-fable-5", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonDefault},
		{tier: "free", asked: "claude/claude-opus-5-5", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonRule},
		{tier: "pro", asked: "claude-fable-5", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonDefault},
		{tier: "pro", asked: "invented", backend: "internal", model: "qwen3-32b", upstream: "qwen3-32b", reason: routing.ReasonDefault},
		{tier: "enterprise", asked: "invented", err: routing.ErrUnknown},
		{tier: "free", asked: "*", err: routing.ErrUnknown},
		{tier: "free", asked: "http://evil.test/v1", err: routing.ErrUnknown},
		{tier: "free", asked: strings.Repeat("a", 257), err: routing.ErrUnknown},
		{tier: "nobody", asked: "qwen3-32b", err: routing.ErrDenied},
	} {
		t.Run(tc.tier+" "+tc.asked, func(t *testing.T) {
			for range 2 { // the second answer comes from the memo
				got, err := table.Resolve(tc.tier, tc.asked)
				got.Pattern, got.Label, got.Same = "", "", false
				want := routing.Route{Backend: tc.backend, Model: tc.model, Upstream: tc.upstream, Reason: tc.reason}
				if got != want || !errors.Is(err, tc.err) {
					t.Errorf("Resolve(%q, %q) = %+v, %v; want %+v, %v", tc.tier, tc.asked, got, err, want, tc.err)
				}
			}
		})
	}
}

// An odd house: explicit models beat default ones, names live twice, walls
// have globs, and a tier without a default refuses.
func TestResolve(t *testing.T) {
	backends := []routing.Backend{
		{Name: "listing", API: routing.VLLM},
		{Name: "second", API: routing.VLLM},
		{Name: "claude", API: routing.Anthropic, External: true, Names: []routing.PublicName{{Public: "cheap", Upstream: "claude-haiku-4-5"}, {Public: "best", Upstream: "claude-opus-5-5"}}},
		{Name: "compat", API: routing.OpenAICompatible, Models: []string{"Qwen/*", "claude-distill", "gpt-oss-*"}, Explicit: true},
		{Name: "openai", API: routing.OpenAI, External: true},
	}
	tiers := []routing.Tier{
		{Name: "strict", Allow: []string{"compat", "claude/*haiku*"}, Rules: []routing.Rule{
			{Match: []string{"first-*"}, To: "Qwen/Qwen3"},
			{Match: []string{"first-second"}, To: "cheap"},
			{Match: []string{"pinned"}, To: "compat/claude-distill"},
		}},
		{Name: "two", Allow: []string{"second"}},
		{Name: "both", Allow: []string{"claude", "compat"}},
		{Name: "named", Allow: []string{"second/llama-9"}, Default: "llama-9"},
	}
	table := mustTable(t, backends, tiers)
	table.Learn("listing", []routing.Model{{ID: "llama"}, {ID: "bad name"}})
	table.Learn("second", []routing.Model{{ID: "llama"}})
	for _, tc := range []struct {
		name, tier, asked string
		want              routing.Route
		err               error
	}{
		{name: "the first rule wins", tier: "strict", asked: "first-second", want: routing.Route{Backend: "compat", Model: "Qwen/Qwen3", Upstream: "Qwen/Qwen3", Reason: routing.ReasonRule, Pattern: "first-second", Label: "Qwen/Qwen3"}},
		{name: "the label is the glob", tier: "strict", asked: "first-x", want: routing.Route{Backend: "compat", Model: "Qwen/Qwen3", Upstream: "Qwen/Qwen3", Reason: routing.ReasonRule, Pattern: "first-*", Label: "Qwen/Qwen3"}},
		{name: "a target may name its backend", tier: "strict", asked: "pinned", want: routing.Route{Backend: "compat", Model: "claude-distill", Upstream: "claude-distill", Reason: routing.ReasonRule, Pattern: "pinned", Label: "claude-distill"}},
		{name: "explicit models beat default ones", tier: "strict", asked: "claude-distill", want: routing.Route{Backend: "compat", Model: "claude-distill", Upstream: "claude-distill", Reason: routing.ReasonAsked, Pattern: "claude-distill", Label: "claude-distill", Same: true}},
		{name: "explicit models beat default ones where both are allowed", tier: "both", asked: "claude-distill", want: routing.Route{Backend: "compat", Model: "claude-distill", Upstream: "claude-distill", Reason: routing.ReasonAsked, Pattern: "claude-distill", Label: "claude-distill", Same: true}},
		{name: "gpt-oss lives in the house", tier: "strict", asked: "gpt-oss-20b", want: routing.Route{Backend: "compat", Model: "gpt-oss-20b", Upstream: "gpt-oss-20b", Reason: routing.ReasonAsked, Pattern: "gpt-oss-*", Label: "gpt-oss-*", Same: true}},
		{name: "a star spans slashes", tier: "strict", asked: "Qwen/Qwen3/x", want: routing.Route{Backend: "compat", Model: "Qwen/Qwen3/x", Upstream: "Qwen/Qwen3/x", Reason: routing.ReasonAsked, Pattern: "Qwen/*", Label: "Qwen/*", Same: true}},
		{name: "a public name is inside where its model is", tier: "strict", asked: "cheap", want: routing.Route{Backend: "claude", Model: "cheap", Upstream: "claude-haiku-4-5", Reason: routing.ReasonAsked, Pattern: "cheap", Label: "cheap", Same: true}},
		{name: "a public name does not open the wall", tier: "strict", asked: "best", err: routing.ErrDenied},
		{name: "behind the wall", tier: "strict", asked: "claude-opus-5-5", err: routing.ErrDenied},
		{name: "behind the wall, another backend", tier: "strict", asked: "llama", err: routing.ErrDenied},
		{name: "nobody has it", tier: "strict", asked: "llama-2", err: routing.ErrUnknown},
		{name: "an asked name does not choose the backend", tier: "strict", asked: "claude/claude-haiku-4-5", err: routing.ErrUnknown},
		{name: "a name on two backends reaches the allowed one", tier: "two", asked: "llama", want: routing.Route{Backend: "second", Model: "llama", Upstream: "llama", Reason: routing.ReasonAsked, Pattern: "llama", Label: "llama", Same: true}},
		{name: "a wall's exact name is presumed", tier: "named", asked: "x", want: routing.Route{Backend: "second", Model: "llama-9", Upstream: "llama-9", Reason: routing.ReasonDefault, Pattern: "other", Label: "llama-9"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := table.Resolve(tc.tier, tc.asked)
			if diff := cmp.Diff(tc.want, got); diff != "" || !errors.Is(err, tc.err) {
				t.Errorf("Resolve(%q, %q): %v, want %v\n%s", tc.tier, tc.asked, err, tc.err, diff)
			}
		})
	}
}

func TestDenialNamesWhatIsAllowed(t *testing.T) {
	table := mustTable(t, house(), []routing.Tier{{Name: "free", Allow: []string{"internal"}}})
	table.Learn("internal", []routing.Model{{ID: "qwen3-32b"}})
	_, err := table.Resolve("free", "claude-opus-5-5")
	var denial *routing.Denial
	if !errors.As(err, &denial) || !errors.Is(err, routing.ErrDenied) {
		t.Fatalf("err = %v, want a Denial", err)
	}
	want := []string{"qwen3-32b", "claude-internal-qwen3-32b"}
	if !slices.Equal(denial.Allowed, want) || denial.Pattern != "claude-opus-5-5" {
		t.Errorf("allowed %v, from %q; want %v", denial.Allowed, denial.Pattern, want)
	}
	if _, err = table.Resolve("free", "claude-opus-1-000001"); !errors.As(err, &denial) || denial.Pattern != "claude-*" {
		t.Errorf("from %q, want the glob: invented names must not become labels", denial.Pattern)
	}
}

func TestRetiredNamesAreNotTheSameModel(t *testing.T) {
	table := defaultTable(t)
	for asked, same := range map[string]bool{"claude-3-haiku": false, "claude-haiku-4-5": true, "claude-opus-5-5": false} {
		r, err := table.Resolve("pro", asked)
		if err != nil || r.Same != same {
			t.Errorf("%s: Same = %v, %v; want %v", asked, r.Same, err, same)
		}
	}
}

func TestLearn(t *testing.T) {
	table := mustTable(t, house(), []routing.Tier{{Name: "all", Allow: []string{"internal", "claude"}}})
	if _, err := table.Resolve("all", "mistral"); !errors.Is(err, routing.ErrUnknown) {
		t.Fatalf("before it is learnt: %v", err)
	}
	table.Learn("internal", []routing.Model{{ID: "mistral", ContextLength: 8192}, {ID: "no good"}})
	if r, err := table.Resolve("all", "mistral"); err != nil || r.Backend != "internal" {
		t.Errorf("learnt: %+v, %v", r, err)
	}
	if m := table.Model("internal", "mistral"); m.ContextLength != 8192 {
		t.Errorf("Model = %+v", m)
	}
	table.Learn("internal", []routing.Model{{ID: "other"}})
	if _, err := table.Resolve("all", "mistral"); !errors.Is(err, routing.ErrUnknown) {
		t.Errorf("after it was replaced: %v", err)
	}
	// What a provider really lists needs no stand-in.
	table.Learn("claude", []routing.Model{{ID: "claude-3-opus", DisplayName: "Claude Opus 3"}})
	if r, err := table.Resolve("all", "claude-3-opus"); err != nil || r.Upstream != "claude-3-opus" || !r.Same {
		t.Errorf("listed again: %+v, %v", r, err)
	}
	many := make([]routing.Model, 5000)
	for i := range many {
		many[i].ID = fmt.Sprintf("m%d", i)
	}
	table.Learn("internal", many)
	if n := len(table.Visible("all")); n > 3000 {
		t.Errorf("%d names are visible: a backend's list must be bounded", n)
	}
	table.Learn("nobody", many)
}

func TestVisible(t *testing.T) {
	table := defaultTable(t)
	table.Learn("internal", []routing.Model{{ID: "qwen3-32b"}, {ID: "Qwen/Qwen3-8B", DisplayName: "Qwen 3 8B"}})
	for tier, want := range map[string][]routing.VisibleModel{
		"free": {
			{ID: "qwen3-32b", DisplayName: "qwen3-32b", Backend: "internal", RoutedTo: "qwen3-32b", Reason: routing.ReasonAsked},
			{ID: "Qwen/Qwen3-8B", DisplayName: "Qwen 3 8B", Backend: "internal", RoutedTo: "Qwen/Qwen3-8B", Reason: routing.ReasonAsked},
			{ID: "claude-internal-qwen3-32b", DisplayName: "claude-internal-qwen3-32b", Backend: "internal", RoutedTo: "claude-internal-qwen3-32b", Reason: routing.ReasonAsked},
			{ID: "claude-internal-Qwen3-8B", DisplayName: "claude-internal-Qwen3-8B", Backend: "internal", RoutedTo: "claude-internal-Qwen3-8B", Reason: routing.ReasonAsked},
		},
		"nobody": nil,
	} {
		if diff := cmp.Diff(want, table.Visible(tier)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tier, diff)
		}
	}
	var pro []string
	for _, m := range table.Visible("pro") {
		pro = append(pro, m.ID)
	}
	for _, id := range []string{"qwen3-32b", "claude-haiku-4-5", "claude-3-haiku"} {
		if !slices.Contains(pro, id) {
			t.Errorf("pro does not see %s: %v", id, pro)
		}
	}
	if slices.ContainsFunc(pro, func(id string) bool { return strings.Contains(id, "opus") }) {
		t.Errorf("pro sees a model behind its wall: %v", pro)
	}
}

func TestRepeatedLookupsAllocateNothing(t *testing.T) {
	table := defaultTable(t)
	if n := testing.AllocsPerRun(100, func() { _, _ = table.Resolve("pro", "claude-opus-4-7") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Names that people make up must neither grow memory nor become labels.
func TestInventedNamesAreBounded(t *testing.T) {
	table := defaultTable(t)
	for _, tier := range []string{"free", "pro", "enterprise"} {
		from, to := map[string]bool{}, map[string]bool{}
		for i := range 5000 {
			for _, asked := range []string{"claude-opus-%d", "claude-haiku-9-%d", "gpt-%d-mini", "o3-%d"} {
				r, err := table.Resolve(tier, fmt.Sprintf(asked, i))
				if err != nil {
					t.Fatal(err)
				}
				from[r.Pattern], to[r.Label] = true, true
			}
		}
		if len(from) > 8 || len(to) > 8 {
			t.Errorf("%s: %d labels from, %d labels to", tier, len(from), len(to))
		}
	}
}

// The label of a target is its name only where somebody spelled it out.
func TestLabelOfTheTarget(t *testing.T) {
	backends := house()
	backends = append(backends, routing.Backend{Name: "any", API: routing.OpenAICompatible, Models: []string{"*"}, Explicit: true})
	table := mustTable(t, backends, []routing.Tier{
		{Name: "outside", Allow: []string{"claude", "openai", "internal"}, Rules: []routing.Rule{{Match: []string{"best"}, To: "claude-opus-9"}}},
		{Name: "any", Allow: []string{"any"}},
		{Name: "one", Allow: []string{"any/only-this"}, Default: "only-this"},
	})
	table.Learn("claude", []routing.Model{{ID: "claude-haiku-9"}})
	table.Learn("internal", []routing.Model{{ID: "mistral"}})
	for _, tc := range []struct{ name, tier, asked, want string }{
		{name: "claimed by a glob", tier: "outside", asked: "claude-secret-name-1", want: "claude-*"},
		{name: "claimed by another glob", tier: "outside", asked: "gpt-secret", want: "gpt-*"},
		{name: "claimed by a star", tier: "any", asked: "secret", want: "*"},
		{name: "a rule's target", tier: "outside", asked: "best", want: "claude-opus-9"},
		{name: "a rule's target, asked itself", tier: "outside", asked: "claude-opus-9", want: "claude-opus-9"},
		{name: "listed under a glob", tier: "outside", asked: "claude-haiku-9", want: "claude-haiku-9"},
		{name: "listed", tier: "outside", asked: "mistral", want: "mistral"},
		{name: "a public name", tier: "outside", asked: "claude-internal-mistral", want: "claude-internal-mistral"},
		{name: "a default inside the wall", tier: "one", asked: "secret", want: "only-this"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 { // the second answer comes from the memo
				r, err := table.Resolve(tc.tier, tc.asked)
				if err != nil || r.Label != tc.want {
					t.Errorf("Resolve(%q, %q): to %q, %v; want %q", tc.tier, tc.asked, r.Label, err, tc.want)
				}
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	table := defaultTable(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Resolve("pro", "claude-opus-4-7"); err != nil {
			b.Fatal(err)
		}
	}
}

// A model outside the tier's wall goes to the tier's default.
func ExampleTable_Resolve() {
	table, _, _ := routing.NewTable(
		[]routing.Backend{{Name: "internal", API: routing.VLLM}, {Name: "claude", API: routing.Anthropic, External: true}},
		[]routing.Tier{{Name: "free", Allow: []string{"internal"}, Default: "qwen3-32b"}})

	r, err := table.Resolve("free", "claude-opus-5-5")
	fmt.Println(r.Model, "on", r.Backend, "because:", r.Reason, err)
	// Output: qwen3-32b on internal because: default <nil>
}
