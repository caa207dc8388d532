package routing

import "github.com/openova-io/llm-gateway/routing/anthropic"

// Model is what a backend says about one of its models. Everything but the ID
// may be unknown.
type Model struct {
	ID string
	// DisplayName is how people call it; "" means like the ID.
	DisplayName string
	// ContextLength is how many tokens prompt and answer may have together; 0
	// is unknown. Source: max_model_len (vLLM), max_input_tokens (Claude).
	ContextLength int64
	// MaxOutput is the most tokens that one answer may have; 0 is unknown.
	// Source: max_tokens (Claude).
	MaxOutput int64
	// Capabilities are what a Claude model takes; nil is unknown.
	Capabilities *anthropic.Capabilities
}
