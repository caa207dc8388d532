// Package dialect names the two API formats that clients and backends speak.
//
// It knows nothing about either format: it is the one word that requests,
// routes, errors and streams share when they say which of the two is meant.
package dialect

// Dialect is the API format of one side of a request.
type Dialect uint8

const (
	// Anthropic is the Messages API (POST /v1/messages). It is the zero value
	// because an error outside any known endpoint is written in this shape.
	Anthropic Dialect = iota
	// OpenAI is the chat completions API (POST /v1/chat/completions).
	OpenAI
)

// String returns the word that logs, headers and texts use.
func (d Dialect) String() string {
	if d == OpenAI {
		return "openai"
	}
	return "anthropic"
}
