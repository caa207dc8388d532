package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Capabilities are what a Claude model takes beyond plain messages. The zero
// value takes nothing, which every model understands.
type Capabilities struct {
	// Adaptive, Enabled, Disabled and BetweenTools are the values of
	// thinking.type that the model accepts.
	Adaptive, Enabled, Disabled, BetweenTools bool
	// Efforts are the levels of output_config.effort that the model accepts.
	// Empty: it refuses the member.
	Efforts []string
	// ContextEdits are the strategies of context_management that the model
	// accepts. Empty: it refuses the member.
	ContextEdits []string
	// Sampling tells that temperature, top_p and top_k may differ from their
	// defaults.
	Sampling bool
	// SystemTurns tells that messages may hold `role: system`, with tool changes
	// and output_config.
	SystemTurns bool
	// DeferredTools tells that tools may be loaded in mid-conversation:
	// defer_loading and tool_reference.
	DeferredTools bool
	// MaxOutput is the most max_tokens that the model accepts; 0 is unknown.
	MaxOutput int64
}

// Levels of effort, lowest first.
var effortLevels = []string{"low", "medium", "high", "xhigh", "max"}

// Strategies of context management.
const (
	clearThinking = "clear_thinking_20251015"
	clearToolUses = "clear_tool_uses_20250919"
	compact       = "compact_20260112"
)

// assumed is what is known of models whose provider has not been asked, or
// whose list does not say. It ages: right on 2026-11-23. The longest prefix
// counts; a model that no prefix fits takes nothing, so that what it might refuse
// is left out.
var assumed = []struct {
	prefix string
	takes  Capabilities
}{
	{"claude-haiku-4-5", Capabilities{Enabled: true, Disabled: true, ContextEdits: []string{clearThinking, clearToolUses}, Sampling: true, MaxOutput: 64000}},
	{"claude-sonnet-4-5", Capabilities{Enabled: true, Disabled: true, ContextEdits: []string{clearThinking, clearToolUses}, Sampling: true, DeferredTools: true, MaxOutput: 64000}},
	{"claude-opus-4-5", Capabilities{Enabled: true, Disabled: true, Efforts: []string{"low", "medium", "high"}, ContextEdits: []string{clearThinking, clearToolUses}, Sampling: true, DeferredTools: true, MaxOutput: 64000}},
	{"claude-sonnet-4-6", fourSix},
	{"claude-opus-4-6", fourSix},
	{"claude-opus-4-7", fourSeven},
	{"claude-opus-4-8", fourSeven},
	{"claude-opus-5", fourSeven},
	{"claude-sonnet-5", fourSeven},
	{"claude-opus-5-5", fiveFive},
	{"claude-sonnet-5-5", fiveFive},
}

var (
	fourSix = Capabilities{
		Adaptive: true, Enabled: true, Disabled: true, Efforts: []string{"low", "medium", "high", "max"},
		ContextEdits: []string{clearThinking, clearToolUses, compact}, Sampling: true, DeferredTools: true, MaxOutput: 64000,
	}
	fourSeven = Capabilities{
		Adaptive: true, Disabled: true, Efforts: effortLevels,
		ContextEdits: []string{clearThinking, clearToolUses, compact}, DeferredTools: true, MaxOutput: 128000,
	}
	fiveFive = Capabilities{
		Adaptive: true, Disabled: true, Efforts: effortLevels,
		ContextEdits: []string{clearThinking, clearToolUses, compact}, DeferredTools: true, SystemTurns: true, MaxOutput: 128000,
	}
)

// Assume returns what a model is taken to accept when its provider has not said.
func Assume(model string) Capabilities {
	best := Capabilities{MaxOutput: 64000} // every model since 4.5
	length := 0
	for _, a := range assumed {
		if len(a.prefix) > length && strings.HasPrefix(model, a.prefix) {
			best, length = a.takes, len(a.prefix)
		}
	}
	return best
}

// support is how the provider says yes or no; null is no.
type support struct {
	Supported bool `json:"supported"`
}

// ParseCapabilities reads the capabilities object of the provider's list of
// models. What the object has no word for (sampling, system turns, deferred
// tools) is assumed.
func ParseCapabilities(model string, raw []byte) (Capabilities, error) {
	var said struct {
		Thinking *struct {
			Supported bool               `json:"supported"`
			Types     map[string]support `json:"types"`
		} `json:"thinking"`
		Effort  map[string]json.RawMessage `json:"effort"`
		Context map[string]json.RawMessage `json:"context_management"`
	}
	c := Assume(model)
	if err := json.Unmarshal(raw, &said); err != nil {
		return c, fmt.Errorf("capabilities of %s: %w", model, err)
	}
	if t := said.Thinking; t != nil {
		c.Adaptive = t.Types["adaptive"].Supported
		c.Enabled = t.Types["enabled"].Supported
		c.Disabled = t.Types["disabled"].Supported
		c.BetweenTools = t.Types["between_tools"].Supported
	}
	if said.Effort != nil {
		c.Efforts = supported(said.Effort, effortLevels)
	}
	if said.Context != nil {
		c.ContextEdits = supported(said.Context, []string{clearThinking, clearToolUses, compact})
	}
	return c, nil
}

// supported returns those of names that the object supports; none where it as a
// whole is not.
func supported(object map[string]json.RawMessage, names []string) []string {
	var whole bool
	if json.Unmarshal(object["supported"], &whole) != nil || !whole {
		return nil
	}
	var yes []string
	for _, name := range names {
		var s support
		if json.Unmarshal(object[name], &s) == nil && s.Supported {
			yes = append(yes, name)
		}
	}
	return yes
}
