package anthropic

import (
	"slices"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// fitOutput lowers output_config.effort to the next level that the target has,
// or leaves it out. A format stays: without it the answer would be another one.
func (x *fitting) fitOutput() {
	x.drop("speed") // fast mode is of single models; it changes no answer
	m, _, ok := x.member("output_config")
	if !ok || m.Kind != jsonbody.Object {
		return
	}
	members := slices.Collect(jsonbody.Fields(x.body, m.Value))
	var gone []int
	for i, part := range members {
		switch {
		case part.Named(x.body, "effort"):
			asked, _ := jsonbody.Text(x.body, part.Value)
			level := x.effort(asked)
			switch level {
			case "":
				gone = append(gone, i)
			case asked:
			default:
				x.replace(part.Value, `"`+level+`"`)
			}
		case part.Named(x.body, "task_budget") && len(x.target.Takes.Efforts) == 0:
			gone = append(gone, i)
		}
	}
	if len(gone) == len(members) {
		x.drop("output_config")
		return
	}
	x.edits = jsonbody.RemoveMembers(x.edits, members, gone...)
}

// effort returns the highest level of the target that is not above the asked
// one; "" if there is none.
func (x *fitting) effort(asked string) string {
	for i := slices.Index(effortLevels, asked); i >= 0; i-- {
		if slices.Contains(x.target.Takes.Efforts, effortLevels[i]) {
			return effortLevels[i]
		}
	}
	return ""
}

// fitSampling leaves sampling parameters out where the target refuses them, also
// because it thinks. Of temperature and top_p together models refuse one.
func (x *fitting) fitSampling() {
	if !x.target.Takes.Sampling || x.form != thinkingOff {
		x.drop("temperature", "top_p", "top_k")
		return
	}
	if _, _, both := x.member("temperature"); both {
		x.drop("top_p")
	}
}

// fitContext leaves out the edits of context_management that the target does
// not know, and the clearing of thinking where there is none.
func (x *fitting) fitContext() {
	m, _, ok := x.member("context_management")
	if !ok {
		return
	}
	list, ok := field(x.body, m.Value, "edits")
	if !ok || len(x.target.Takes.ContextEdits) == 0 {
		x.drop("context_management")
		return
	}
	var spans []jsonbody.Span
	var gone []int
	for span := range jsonbody.Elements(x.body, list.Value) {
		kind := word(x.body, span, "type")
		if !slices.Contains(x.target.Takes.ContextEdits, kind) || (kind == clearThinking && x.form == thinkingOff) {
			gone = append(gone, len(spans))
		}
		spans = append(spans, span)
	}
	if len(gone) == len(spans) {
		x.drop("context_management")
		return
	}
	x.edits = jsonbody.RemoveElements(x.edits, spans, gone...)
}
