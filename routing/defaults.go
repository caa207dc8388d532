package routing

import (
	"fmt"
	"slices"
)

// The globs of the default routes. They name families, not models, so that
// today's names go where the retired ones of the first table went.
var (
	claudeLarge = []string{"claude-3-opus", "claude-3-sonnet", "*opus*", "*sonnet*"}
	claudeSmall = []string{"claude-3-haiku", "*haiku*"}
	// gptFamily spells the generations out: gpt-* would take gpt-oss, which
	// lives in the house.
	gptFamily = []string{"gpt-4", "gpt-3*", "gpt-4*", "gpt-5*", "chatgpt-*", "o1*", "o3*", "o4*"}
)

// smallClaude is what the pro tier's large Claude models become.
const smallClaude = "claude-3-haiku"

// DefaultTiers returns the tiers of a configuration without any: free reaches
// internal models only, pro internal ones and Claude Haiku, enterprise all.
// They are derived from the enabled backends by API. What an absent backend
// leaves undone is said in the warnings.
//
// Claude Code asks for claude-sonnet-5 on its own account whatever the session
// uses, so the Claude families resolve on every tier: without a Claude backend
// the internal model answers for them on enterprise too.
func DefaultTiers(backends []Backend) (tiers []Tier, warnings []string) {
	h := surveyHouse(backends)
	free, pro, enterprise := Tier{Name: "free"}, Tier{Name: "pro"}, Tier{Name: "enterprise"}

	free.Allow = h.internal
	pro.Allow = slices.Clone(h.internal)
	for _, name := range h.claude {
		pro.Allow = append(pro.Allow, name+"/*haiku*")
	}
	enterprise.Allow = h.all

	if h.model == "" {
		warnings = append(warnings, "default tiers: no internal backend names a model, so the routes of free and pro to one are left out")
	} else {
		free.Rules = []Rule{{Match: slices.Concat(claudeLarge, claudeSmall, gptFamily), To: h.model}}
		free.Default, pro.Default = h.model, h.model
	}
	switch {
	case h.haiku:
		pro.Rules = append(pro.Rules,
			Rule{Match: claudeLarge, To: smallClaude},
			Rule{Match: []string{smallClaude}, To: smallClaude})
	default:
		warnings = append(warnings, "default tiers: no Claude backend has claude-3-haiku, so the routes of pro to it are left out")
	}
	if h.model != "" {
		pro.Rules = append(pro.Rules, Rule{Match: gptFamily, To: h.model})
	}
	if len(h.claude) == 0 && h.model != "" {
		enterprise.Rules = []Rule{{Match: slices.Concat(claudeLarge, claudeSmall), To: h.model}}
		warnings = append(warnings, fmt.Sprintf("default tiers: no Claude backend, so %s answers for Claude models on enterprise", h.model))
	}
	return []Tier{free, pro, enterprise}, warnings
}

// house is what the default tiers need to know of the backends.
type house struct {
	internal, claude, all []string
	model                 string // the internal model; "" if none
	haiku                 bool   // smallClaude lives on a Claude backend
}

func surveyHouse(backends []Backend) house {
	var h house
	for i := range backends {
		b := &backends[i]
		if b.Disabled {
			continue
		}
		h.all = append(h.all, b.Name)
		switch {
		case b.internal():
			h.internal = append(h.internal, b.Name)
			if h.model == "" {
				h.model = b.mainModel()
			}
		case b.API == Anthropic:
			h.claude = append(h.claude, b.Name)
			h.haiku = h.haiku || b.hosts(smallClaude)
		}
	}
	return h
}

// mainModel returns the model that an internal backend is named for: the first
// that configuration spells out, else the name that the mission gives it; ""
// where configuration rules that out.
func (b *Backend) mainModel() string {
	for _, text := range b.globs() {
		if !isGlob(text) {
			return text
		}
	}
	if b.lists() || b.hosts(defaultInternalModel) {
		if len(b.Names) > 0 {
			return b.Names[0].Upstream
		}
		return defaultInternalModel
	}
	if len(b.Names) > 0 {
		return b.Names[0].Public
	}
	return ""
}

// hosts reports whether configuration says that the name lives on the backend.
func (b *Backend) hosts(name string) bool {
	for range newDirectory([]*Backend{b}, nil, nil, nil).places(name) {
		return true
	}
	return false
}
