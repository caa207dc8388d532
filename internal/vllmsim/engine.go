package vllmsim

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
)

// Engine generates raw answers, as the model behind vLLM's API server does:
// thoughts and tool calls are text between tags, and the server parses them.
// An engine may model scheduling and caches; the server adds its own queue in
// front of it ([Options.MaxNumSeqs]).
type Engine interface {
	// Generate starts an answer. An error is a refusal before any header has
	// left: a [*Refusal] is sent as it says, any other as an internal error.
	//
	// The sequence ends after a token with Finish set, or after an error.
	// An error in it strikes in the middle of the answer: [ErrConnectionCut] and
	// [ErrEmptyAnswer] do what they say, any other is the death of the engine.
	// The sequence ends early when ctx does: the client has left.
	Generate(ctx context.Context, req *Request) (iter.Seq2[Token, error], error)
}

// Reporter is an [Engine] that models a scheduler or a cache of its own. What it
// reports is shown in /metrics; for other engines these series are zero.
type Reporter interface {
	Report() Report
}

// Report is the state of an engine.
type Report struct {
	Waiting       int     // requests that wait inside the engine
	KVUsage       float64 // share of the KV cache in use, 0 to 1
	Preemptions   int     // since the start
	BlockSize     int     // tokens of one KV cache block
	Blocks        int     // of the whole KV cache
	PrefixCaching bool    // prompts may be answered from the cache
}

// What an engine may throw into the middle of an answer.
var (
	// ErrEngineDead is an engine process that was killed.
	ErrEngineDead = errors.New("the simulated engine died")
	// ErrConnectionCut closes the TCP connection without an end of the body.
	ErrConnectionCut = errors.New("the simulated connection was cut")
	// ErrEmptyAnswer ends the response at once with status 200 and no body.
	ErrEmptyAnswer = errors.New("the simulated answer is an empty body")
)

// Refusal is an engine's refusal to start.
type Refusal struct {
	Status  int    // HTTP status
	Message string // sent to the client
}

func (r *Refusal) Error() string { return r.Message }

// Finish says why an answer ended, in the words of the chat API.
type Finish string

// Reasons to finish.
const (
	FinishStop      Finish = "stop"
	FinishLength    Finish = "length"
	FinishToolCalls Finish = "tool_calls"
	FinishAbort     Finish = "abort"
)

// Special tokens of the answers. They are whole tokens ([Token.Special]).
const (
	ThinkStart = "<think>"
	ThinkEnd   = "</think>"
	CallStart  = "<tool_call>"
	CallEnd    = "</tool_call>"
)

// Token is one step of an engine.
type Token struct {
	// Text is what the token adds. The end token adds nothing.
	Text string
	// Special says that Text is one of the tags above and not text that reads
	// like one.
	Special bool
	// Finish is set on the last token: [FinishStop] or [FinishAbort]. The server
	// itself ends an answer at max_tokens or at a stop string.
	Finish Finish
	// Cached is how many tokens of the prompt came from a prefix cache. It
	// counts on the first token only.
	Cached int
}

// Request is what a client asked for, the same for both API formats.
type Request struct {
	// ID is the answer's id, "chatcmpl-…".
	ID string
	// Model is the served name that was asked for.
	Model string
	// Messages is the conversation, system texts included. A result of a tool is
	// a message of its own.
	Messages []Message
	// Tools are the tools that the client offers.
	Tools []Tool
	// Choice says whether tools may or must be called.
	Choice Choice
	// Parallel is false when the client wants one call at most.
	Parallel bool
	// Thinking is false when the client switched reasoning off.
	Thinking bool
	// Schema is the JSON schema of a structured answer, nil without one. Any
	// JSON object is wanted where it is the empty schema.
	Schema json.RawMessage
	// MaxTokens is where the answer is cut, already clamped to the context.
	MaxTokens int
	// Stop are the strings that end the answer.
	Stop []string
	// N is how many answers the client wants.
	N int
	// Prompt is the rendered prompt, token by token.
	Prompt []string

	stream stream
}

// stream is what the client wants of an event stream.
type stream struct {
	on              bool
	usage           bool // a last chunk with usage
	continuousUsage bool // usage in every chunk
}

// Message is one entry of a conversation.
type Message struct {
	Role      string // system, user, assistant or tool
	Text      string
	Reasoning string
	Calls     []Call
	Failed    bool // of a tool: the client marked the result as an error
}

// Call is a tool call in the history.
type Call struct {
	Name      string
	Arguments string // JSON as the client sent it
}

// Tool is a tool that the client offers.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // JSON schema
}

// Choice is the client's tool_choice.
type Choice struct {
	Mode ChoiceMode
	Name string // of ChoiceNamed
}

// ChoiceMode says whether tools may or must be called.
type ChoiceMode uint8

// The four modes. ChoiceNone is also that of a request without tools.
const (
	ChoiceNone ChoiceMode = iota
	ChoiceAuto
	ChoiceRequired
	ChoiceNamed
)

func (c Choice) forced() bool { return c.Mode == ChoiceRequired || c.Mode == ChoiceNamed }
