package vllmsim

import "time"

// Defaults of [Options].
const (
	DefaultModel       = "qwen3-32b"
	DefaultMaxModelLen = 262144
	defaultMaxNumSeqs  = 256
	defaultMaxBody     = 64 << 20
	defaultTokenBytes  = 4
)

// Options says what a [Server] pretends to be. The zero value is a server
// without a key that serves [DefaultModel] at once and without delays.
type Options struct {
	// Models are the served names; the first is the one that answers carry.
	// Empty means [DefaultModel].
	Models []string

	// MaxModelLen is the context length in tokens. 0 means [DefaultMaxModelLen],
	// which the largest first prompt of a coding agent fits into several times.
	MaxModelLen int

	// APIKey guards every path below /v1, as --api-key does: only
	// "Authorization: Bearer" is read. Empty means that no key is asked for.
	APIKey string

	// MaxNumSeqs is how many answers are generated at the same time; more wait,
	// after the headers of a stream have left. 0 means 256.
	MaxNumSeqs int

	// MaxNumQueued is how many requests may run and wait together before
	// further ones get 503. 0 means no limit.
	MaxNumQueued int

	// Gap is the time between two tokens of the scripted engine. 0 means none.
	Gap time.Duration

	// PromptTokensDetails adds cached tokens to usage, as
	// --enable-prompt-tokens-details does.
	PromptTokensDetails bool

	// RequestIDHeaders adds x-request-id to answers, as
	// --enable-request-id-headers does.
	RequestIDHeaders bool

	// NoReasoningParser leaves <think> tags in the text, as a server without
	// --reasoning-parser does.
	NoReasoningParser bool

	// NoToolParser refuses tool calls, as a server without
	// --enable-auto-tool-choice and --tool-call-parser does.
	NoToolParser bool

	// MaxBody is the largest request body in bytes; longer ones get 413.
	// 0 means 64 MiB.
	MaxBody int64

	// TokenBytes is the longest token in bytes. 0 means 4.
	TokenBytes int

	// Engine says what is answered. Nil means [Scripted] with Gap.
	Engine Engine

	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if len(o.Models) == 0 {
		o.Models = []string{DefaultModel}
	}
	if o.MaxModelLen == 0 {
		o.MaxModelLen = DefaultMaxModelLen
	}
	if o.MaxNumSeqs == 0 {
		o.MaxNumSeqs = defaultMaxNumSeqs
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.TokenBytes == 0 {
		o.TokenBytes = defaultTokenBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Engine == nil {
		o.Engine = Scripted{Gap: o.Gap, TokenBytes: o.TokenBytes}
	}
	return o
}
