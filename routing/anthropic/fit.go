package anthropic

import (
	"bytes"
	"slices"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// Target is the model that a body is fitted to.
type Target struct {
	// Model is the id that the upstream is sent.
	Model string
	// Same tells that the body was written for this very model: then only
	// thinking that no Claude model signed is taken out.
	Same bool
	// Takes is what the model accepts. Not read if Same.
	Takes Capabilities
	// MaxTokens is the body's max_tokens as the model will see it; 0 is none
	// (count_tokens).
	MaxTokens int64
}

// Fit appends to dst the edits that make a Messages body acceptable to the
// target. Nothing is said in other words: forms are swapped where the target
// has one of the same meaning, hints that it lacks are left out, and what would
// change the answer stays, because the provider's own refusal is clear. The
// same history gives the same bytes on every turn, as the prompt cache needs.
//
// The edits leave max_tokens and model alone. body is what f was scanned from.
func Fit(dst []jsonbody.Edit, body []byte, f *jsonbody.Facts, t Target) []jsonbody.Edit {
	x := &fitting{body: body, facts: f, target: t, edits: dst}
	if t.Same {
		x.fitSame()
		return x.done()
	}
	x.readMessages()
	x.fitThinking()
	x.stripThinking()
	x.fitOutput()
	x.fitSampling()
	x.fitContext()
	x.foldSystemTurns()
	x.fitTools()
	return x.done()
}

// fitSame is Fit for the model that the body was written for.
func (x *fitting) fitSame() {
	asked, index, ok := x.member("thinking")
	switch kind := word(x.body, asked.Value, "type"); {
	case !ok:
	case kind == "adaptive":
		x.form = thinkingAdaptive
	case kind == "enabled":
		x.form = thinkingEnabled
		x.clampBudget(asked)
	}
	if !x.mentionsThinking() {
		x.edits = append(x.edits, x.thinkingEdit...)
		return
	}
	x.readMessages()
	x.stripThinking()
	if slices.Contains(x.gone, index) {
		x.target.Takes.ContextEdits = []string{clearThinking, clearToolUses, compact}
		x.fitContext()
	}
}

// mentionsThinking reports whether the messages may hold a thinking block, at a
// fraction of what reading them costs. It hops from quote to quote:
// [bytes.Index] falls back to trying every byte of a text so full of them.
func (x *fitting) mentionsThinking() bool {
	const needle = `"thinking"`
	m, _, ok := x.member("messages")
	if !ok {
		return false
	}
	rest := x.body[m.Value.Start:m.Value.End]
	for {
		i := bytes.IndexByte(rest, '"')
		if i < 0 || len(rest)-i < len(needle) {
			return false
		}
		if rest = rest[i:]; string(rest[:len(needle)]) == needle {
			return true
		}
		rest = rest[1:]
	}
}

// done makes the removals that must be made together.
func (x *fitting) done() []jsonbody.Edit {
	x.removeMessages()
	slices.Sort(x.gone)
	return x.facts.Remove(x.edits, x.gone...)
}

// FitForeign appends to dst the edits that a Messages body needs on its way to
// a backend that is not Anthropic: the billing line goes, and a fixed thinking
// budget stays below max_tokens (0 is none), which may have been clamped.
func FitForeign(dst []jsonbody.Edit, body []byte, f *jsonbody.Facts, maxTokens int64) []jsonbody.Edit {
	x := &fitting{body: body, facts: f, target: Target{MaxTokens: maxTokens}, edits: dst}
	if m, _, ok := x.member("thinking"); ok && word(body, m.Value, "type") == "enabled" {
		x.clampBudget(m)
		x.edits = append(x.edits, x.thinkingEdit...)
	}
	x.dropBilling()
	return x.done()
}

// fitting is one body on its way to its target.
type fitting struct {
	body     []byte
	facts    *jsonbody.Facts
	target   Target
	edits    []jsonbody.Edit
	gone     []int // indexes of top-level members that go
	form     thinkingForm
	messages []message
	array    []jsonbody.Span // the messages' spans
	// thinkingEdit swaps the form; it is made only if the member stays.
	thinkingEdit []jsonbody.Edit
}

// member returns a top-level member that does not go, and its index.
func (x *fitting) member(name string) (m jsonbody.Member, index int, ok bool) {
	m, ok = x.facts.Lookup(x.body, name)
	if !ok {
		return m, -1, false
	}
	index = slices.Index(x.facts.Members, m)
	return m, index, !slices.Contains(x.gone, index)
}

// drop takes a top-level member out, if it is there.
func (x *fitting) drop(names ...string) {
	for _, name := range names {
		if _, i, ok := x.member(name); ok {
			x.gone = append(x.gone, i)
		}
	}
}

// replace puts raw JSON in the place of a value.
func (x *fitting) replace(v jsonbody.Span, raw string) {
	x.edits = append(x.edits, jsonbody.Edit{Span: v, Text: []byte(raw)})
}

// field returns the member of that name of the object at v.
func field(body []byte, v jsonbody.Span, name string) (jsonbody.Member, bool) {
	for m := range jsonbody.Fields(body, v) {
		if m.Named(body, name) {
			return m, true
		}
	}
	return jsonbody.Member{}, false
}

// word returns the text of the string member of that name; "" if there is none.
func word(body []byte, v jsonbody.Span, name string) string {
	m, ok := field(body, v, name)
	if !ok || m.Kind != jsonbody.String {
		return ""
	}
	text, err := jsonbody.Text(body, m.Value)
	if err != nil {
		return ""
	}
	return text
}
