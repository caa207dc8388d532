package routing

import (
	"strconv"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/routing/anthropic"
	"github.com/openova-io/llm-gateway/routing/openai"
)

// EditOptions are what the edits of one request depend on besides its route.
type EditOptions struct {
	// Dialect is that of client and backend: edits are for requests that keep
	// theirs.
	Dialect dialect.Dialect
	// MaxTokens is the tier's clamp of one answer, in tokens; 0 is none.
	MaxTokens int64
	// CountTokens tells that the body counts tokens and asks for no answer.
	CountTokens bool
}

// EditNotes are what the answer's way back must know of the edits.
type EditNotes struct {
	// HideUsage tells that the stream was asked for a usage chunk that the
	// client did not ask for.
	HideUsage bool
	// MaxTokens is the limit of the answer as the backend sees it; 0 if the
	// body has none.
	MaxTokens int64
}

// Edits appends to dst the edits that the chosen route makes in a body that
// [jsonbody.Scan] accepted and [CheckMembers] let pass. Everything outside them
// stays byte for byte. They are
//   - the model's value;
//   - token limits above what tier or model allow, clamped;
//   - include_usage of a chat stream;
//   - the billing line of Claude Code, towards anybody but Anthropic;
//   - what a Claude model other than the asked one refuses.
func Edits(dst []jsonbody.Edit, body []byte, f *jsonbody.Facts, rt *Route, b *Backend, m Model, o EditOptions) ([]jsonbody.Edit, EditNotes) {
	var notes EditNotes
	if f.Model != rt.Upstream || f.ModelValue.End-f.ModelValue.Start != len(f.Model)+len(`""`) {
		dst = f.ReplaceModel(dst, rt.Upstream)
	}
	takes := anthropic.Capabilities{}
	if b.API == Anthropic && !rt.Same {
		if takes = anthropic.Assume(rt.Upstream); m.Capabilities != nil {
			takes = *m.Capabilities
		}
	}
	if !o.CountTokens {
		dst, notes.MaxTokens = clampTokens(dst, body, f, b, mostTokens(b, m, takes, o.MaxTokens), o)
	}
	switch {
	case o.Dialect == dialect.OpenAI && !o.CountTokens:
		dst, notes.HideUsage = openai.AskUsage(dst, body, f)
	case o.Dialect == dialect.Anthropic && b.API == Anthropic:
		dst = anthropic.Fit(dst, body, f, anthropic.Target{
			Model: rt.Upstream, Same: rt.Same, Takes: takes, MaxTokens: notes.MaxTokens,
		})
	case o.Dialect == dialect.Anthropic:
		dst = anthropic.FitForeign(dst, body, f, notes.MaxTokens)
	}
	return dst, notes
}

// mostTokens returns the largest limit that both tier and model accept; 0 is
// none known. vLLM refuses a limit above its context, Claude one above what the
// model can write.
func mostTokens(b *Backend, m Model, takes anthropic.Capabilities, tier int64) int64 {
	most := tier
	bound := m.MaxOutput
	switch {
	case b.API.Internal():
		bound = m.ContextLength
	case bound == 0:
		bound = takes.MaxOutput
	}
	if bound > 0 && (most <= 0 || bound < most) {
		most = bound
	}
	return most
}

// clampTokens lowers the body's token limits to most and returns the one that
// counts. A chat request without a limit gets the tier's.
func clampTokens(dst []jsonbody.Edit, body []byte, f *jsonbody.Facts, b *Backend, most int64, o EditOptions) ([]jsonbody.Edit, int64) {
	effective := int64(0)
	clamp := func(asked int64, v jsonbody.Span) {
		effective = asked
		if most > 0 && asked > most {
			effective = most
			dst = append(dst, f.Replace(v, strconv.AppendInt(nil, most, 10)))
		}
	}
	if f.HasMaxTokens {
		clamp(f.MaxTokens, f.MaxTokensValue)
	}
	if f.HasMaxCompletionTokens && o.Dialect == dialect.OpenAI {
		clamp(f.MaxCompletionTokens, f.MaxCompletionTokensValue)
	}
	if effective == 0 && !f.HasMaxTokens && !f.HasMaxCompletionTokens && o.Dialect == dialect.OpenAI && o.MaxTokens > 0 {
		name := "max_tokens"
		if b.API == OpenAI {
			name = "max_completion_tokens"
		}
		dst, effective = openai.SetMember(dst, body, f, name, strconv.AppendInt(nil, most, 10)), most
	}
	return dst, effective
}
