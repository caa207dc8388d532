package anthropic

// Capabilities are what a Claude model takes, as the provider's list of models
// says. The zero value takes nothing beyond plain messages, which every model
// understands.
type Capabilities struct {
	// Adaptive, Enabled and Disabled are the values of thinking.type that the
	// model accepts.
	Adaptive, Enabled, Disabled bool
	// Efforts are the levels of output_config.effort, in ascending order.
	// Empty: the model refuses the member.
	Efforts []string
	// Sampling tells that temperature, top_p and top_k may differ from their
	// defaults.
	Sampling bool
	// SystemTurns tells that messages may hold `role: system`.
	SystemTurns bool
	// DeferredTools tells that tools may be loaded in mid-conversation:
	// defer_loading, tool_reference, tool_addition.
	DeferredTools bool
	// StructuredOutputs tells that output_config.format is accepted.
	StructuredOutputs bool
	// ClearThinking and ClearToolUses are strategies of context_management.
	// Without both, and without Compact, the member itself is refused.
	ClearThinking, ClearToolUses, Compact bool
}
