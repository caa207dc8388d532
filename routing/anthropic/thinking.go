package anthropic

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// thinkingForm is how a model thinks in the end.
type thinkingForm uint8

const (
	thinkingOff thinkingForm = iota
	thinkingAdaptive
	thinkingEnabled
)

// Budgets for the fixed form of thinking, in tokens. The API takes none below
// minBudget and none that reaches max_tokens.
const minBudget = 1024

var effortBudgets = map[string]int64{"low": 4096, "medium": 10000, "high": 16000, "xhigh": 31999, "max": 31999}

// fitThinking swaps the form of thinking for one that the target takes.
func (x *fitting) fitThinking() {
	m, _, ok := x.member("thinking")
	if !ok {
		return
	}
	takes := &x.target.Takes
	asked := word(x.body, m.Value, "type")
	switch {
	case asked == "adaptive" && takes.Adaptive, asked == "enabled" && !takes.Enabled && takes.Adaptive:
		x.form = thinkingAdaptive
		if asked != "adaptive" {
			x.thinkingEdit = []jsonbody.Edit{{Span: m.Value, Text: []byte(`{"type":"adaptive"}`)}}
		}
	case (asked == "adaptive" || asked == "enabled") && takes.Enabled && !x.toolForced():
		x.enableThinking(m, asked)
	case asked == "disabled" && takes.Disabled, asked == "between_tools" && takes.BetweenTools:
	case asked == "between_tools" && takes.Disabled:
		x.replace(m.Value, `{"type":"disabled"}`)
	default:
		x.drop("thinking")
	}
}

// enableThinking gives the fixed form a budget that fits below max_tokens, or
// leaves thinking out where none does.
func (x *fitting) enableThinking(m jsonbody.Member, asked string) {
	x.form = thinkingEnabled
	if asked == "enabled" {
		x.clampBudget(m)
		return
	}
	budget := x.effortBudget()
	if most := x.target.MaxTokens; most > 0 {
		budget = min(budget, most/2) // the rest is for the answer
	}
	x.setBudget(m, budget)
}

// clampBudget keeps the budget of the fixed form below max_tokens. A budget that
// fits already, or that cannot be read, stays as it is.
func (x *fitting) clampBudget(m jsonbody.Member) {
	b, ok := field(x.body, m.Value, "budget_tokens")
	if !ok || x.target.MaxTokens <= 0 {
		return
	}
	budget, err := strconv.ParseInt(string(x.body[b.Value.Start:b.Value.End]), 10, 64)
	if err == nil && budget >= x.target.MaxTokens {
		x.setBudget(m, x.target.MaxTokens/2)
	}
}

// setBudget writes the fixed form, or leaves thinking out where the budget is
// smaller than the API allows.
func (x *fitting) setBudget(m jsonbody.Member, budget int64) {
	if budget < minBudget {
		x.form = thinkingOff
		x.drop("thinking")
		return
	}
	text := `{"type":"enabled","budget_tokens":` + strconv.FormatInt(budget, 10) + `}`
	x.thinkingEdit = []jsonbody.Edit{{Span: m.Value, Text: []byte(text)}}
}

// effortBudget is the budget that the body's effort stands for.
func (x *fitting) effortBudget() int64 {
	if o, _, ok := x.member("output_config"); ok {
		if budget := effortBudgets[word(x.body, o.Value, "effort")]; budget > 0 {
			return budget
		}
	}
	return effortBudgets["high"] // the API's own default
}

// toolForced reports whether tool_choice demands a call, beside which the fixed
// form of thinking is refused.
func (x *fitting) toolForced() bool {
	m, _, ok := x.member("tool_choice")
	if !ok {
		return false
	}
	kind := word(x.body, m.Value, "type")
	return kind == "any" || kind == "tool"
}

// stripThinking takes thinking blocks out that the target did not make, and all
// of them where it does not think. With the fixed form the turn that is under
// way must begin with a thinking block; where that one had to go, thinking is
// left out of this request.
func (x *fitting) stripThinking() {
	x.markThinking()
	if x.form == thinkingEnabled && x.openTurnLostThinking() {
		x.form, x.thinkingEdit = thinkingOff, nil
		x.drop("thinking")
		x.markThinking()
	}
	x.edits = append(x.edits, x.thinkingEdit...)
	for i := range x.messages {
		msg := &x.messages[i]
		if msg.role != "assistant" {
			continue
		}
		switch {
		case len(msg.gone) == 0:
		case len(msg.gone) == len(msg.blocks):
			msg.removed = true // an empty content array is refused
		default:
			x.edits = jsonbody.RemoveElements(x.edits, msg.spans(), msg.gone...)
		}
	}
}

// markThinking notes which blocks of assistant messages go.
func (x *fitting) markThinking() {
	for i := range x.messages {
		msg := &x.messages[i]
		if msg.role != "assistant" {
			continue
		}
		msg.gone = msg.gone[:0]
		for j, b := range msg.blocks {
			if b.isThinking() && !x.keepsThinking(b) {
				msg.gone = append(msg.gone, j)
			}
		}
	}
}

func (x *fitting) keepsThinking(b block) bool {
	if b.kind == "redacted_thinking" {
		return x.target.Same
	}
	signature := word(x.body, b.span, "signature")
	if x.target.Same {
		return !foreignSignature(signature)
	}
	return x.form != thinkingOff && signedBy(signature, x.target.Model)
}

// openTurnLostThinking reports whether the turn that is under way, from its
// first assistant message on, no longer begins with a thinking block.
func (x *fitting) openTurnLostThinking() bool {
	first := -1
	for i := len(x.messages) - 1; i >= 0; i-- {
		msg := &x.messages[i]
		if msg.role == "assistant" {
			first = i
		} else if msg.role == "user" && !msg.has("tool_result") {
			break
		}
	}
	if first < 0 || first == len(x.messages)-1 {
		return false
	}
	msg := &x.messages[first]
	if x.target.Same {
		// What the client sent in this form is its own affair.
		return len(msg.gone) > 0
	}
	return len(msg.blocks) == 0 || !msg.blocks[0].isThinking() || len(msg.gone) > 0
}

// Mark begins the signatures that this gateway gives to the reasoning of models
// that sign nothing.
const Mark = "llmgw:"

// foreignSignature reports whether no Claude model can have made the signature:
// there is none, it is ours, or it has the form of vLLM's (32 hex digits).
func foreignSignature(signature string) bool {
	if signature == "" || strings.HasPrefix(signature, Mark) {
		return true
	}
	return len(signature) == 32 && strings.Trim(signature, "0123456789abcdef") == ""
}

// signedBy reports whether the signature says that it is of this model. Where
// signatures name no model the answer is no, and the block goes: a block that
// another model made is refused, one that is missing is not.
func signedBy(signature, model string) bool {
	if foreignSignature(signature) {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && bytes.Contains(raw, []byte(undated(model)))
}

// undated returns a model's id without its date: claude-haiku-4-5-20251001 and
// claude-haiku-4-5 are one model.
func undated(model string) string {
	i := strings.LastIndexByte(model, '-')
	if i > 0 && len(model)-i-1 == len("20060102") && strings.Trim(model[i+1:], "0123456789") == "" {
		return model[:i]
	}
	return model
}
