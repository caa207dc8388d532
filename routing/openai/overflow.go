package openai

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// ErrorText returns the text of an error body in any of the shapes that servers
// of this API and the frameworks below them write: an object or string named
// error, a top-level message, FastAPI's detail. ok is false if the body is no
// JSON object or says nothing.
func ErrorText(body []byte) (text string, ok bool) {
	var said struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &said) != nil {
		return "", false
	}
	var inner struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(said.Error, &inner) == nil && inner.Message != "" {
		return inner.Message, true
	}
	for _, raw := range []json.RawMessage{said.Error, said.Message, said.Detail} {
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return text, true
		}
	}
	return "", false
}

// IsError reports whether the body is an error in the shape of this API, which
// its clients read.
func IsError(body []byte) bool {
	var said struct {
		Error *struct {
			Message *string `json:"message"`
		} `json:"error"`
	}
	return json.Unmarshal(body, &said) == nil && said.Error != nil && said.Error.Message != nil
}

// Overflow is what a server's refusal says about its context.
type Overflow struct {
	// Context is how many tokens the model takes; 0 where the text does not say.
	Context int64
	// Answer is the token limit of the answer that was too much by itself; 0 if
	// the prompt was.
	Answer int64
}

var (
	overContext = regexp.MustCompile(`maximum context length (?:is|of) (\d+)`)
	overTokens  = regexp.MustCompile(`max_(?:completion_)?tokens=(\d+) cannot be greater than max_model_len=(\d+)`)
	overChars   = regexp.MustCompile(`upper bound for (\d+) input tokens`)
	// noRoom is how vLLM says that the prompt alone fills the context, where
	// nobody asked for an empty answer.
	noRoom = "max_tokens must be at least 1, got 0"
)

// ParseOverflow recognizes vLLM's words for a prompt or a token limit that
// exceeds the context. The prompt's size in them is never the true one (it
// stops counting at the limit), so it is not returned.
func ParseOverflow(text string) (Overflow, bool) {
	if m := overTokens.FindStringSubmatch(text); m != nil {
		return Overflow{Answer: number(m[1]), Context: number(m[2])}, true
	}
	for _, pattern := range []*regexp.Regexp{overContext, overChars} {
		if m := pattern.FindStringSubmatch(text); m != nil {
			return Overflow{Context: number(m[1])}, true
		}
	}
	return Overflow{}, strings.Contains(text, noRoom)
}

func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
