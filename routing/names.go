package routing

import "strings"

// What a backend is taken to serve when its configuration does not say. The
// lists name models, so they age: they were right on 2026-11-23. An operator
// overrides them with `models` and `model`, and what the provider's own list
// says replaces knownModels as soon as it was read.

// defaultModels are the globs of what lives on the public APIs.
var defaultModels = map[API][]string{
	Anthropic: {"claude-*"},
	OpenAI:    {"gpt-*", "o1*", "o3*", "o4*", "chatgpt-*"},
}

// knownModels are shown by /v1/models until the provider's list was read.
var knownModels = map[API][]string{
	Anthropic: {"claude-haiku-4-5", "claude-opus-5-5", "claude-sonnet-5", "claude-sonnet-5-5"},
}

// retiredNames are names that clients still ask for and the models of today
// that answer to them: the old ids are 404 upstream. A body written for such a
// name is edited for the model that gets it.
var retiredNames = map[API][]PublicName{
	Anthropic: {
		{Public: "claude-3-haiku", Upstream: "claude-haiku-4-5-20251001"},
		{Public: "claude-3-sonnet", Upstream: "claude-sonnet-5-5"},
		{Public: "claude-3-opus", Upstream: "claude-opus-5-5"},
	},
}

const (
	// defaultInternalModel is what the default tiers send people to where no
	// internal backend names a model. The backend's own list need not be known
	// for it: see [NewTable].
	defaultInternalModel = "qwen3-32b"

	// internalPrefix makes the public name of an internal model. Claude Code's
	// picker shows names only that start with claude.
	internalPrefix = "claude-internal-"
)

// internalName returns the public name of an internal model. Of a Hugging Face
// name the owner is left out.
func internalName(model string) string {
	return internalPrefix + model[strings.LastIndexByte(model, '/')+1:]
}

// lists reports whether what lives on the backend is what it lists itself.
func (b *Backend) lists() bool {
	return !b.Explicit && len(b.Models) == 0 && len(defaultModels[b.API]) == 0
}

// internal reports whether prompts sent to the backend stay in the house.
func (b *Backend) internal() bool { return b.API.Internal() && !b.External }

// globs returns the patterns of what lives on the backend; none where it lists
// its models itself.
func (b *Backend) globs() []string {
	if b.Explicit || len(b.Models) > 0 {
		return b.Models
	}
	return defaultModels[b.API]
}
