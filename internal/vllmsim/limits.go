package vllmsim

import (
	"math"
	"strconv"
)

// maxStops is how many stop strings a request may name.
const maxStops = 4

// charsPerToken bounds the length of a token: a prompt with more characters
// than that cannot fit and is refused before it is cut into tokens.
const charsPerToken = 16

// greedy is the temperature below which sampling is greedy.
const greedy = 1e-5

// readLimits renders the prompt and reads what depends on its length, then the
// parameters of sampling. limits are the members that may hold the answer's
// length, the first that is there decides.
func (s *Server) readLimits(f fields, req *Request, limits ...limit) *apiError {
	room := s.opts.MaxModelLen
	maxTokens, name := math.MaxInt, "max_tokens"
	for _, l := range limits {
		if f.has(l.member) {
			if e := f.into(l.member, "integer", &maxTokens); e != nil {
				return e
			}
			name = l.name
			break
		}
	}
	if maxTokens != math.MaxInt && maxTokens > room {
		return badValue(name, maxTokens, "%s=%d cannot be greater than max_model_len=%d. Please request fewer output tokens.", name, maxTokens, room)
	}
	if e := s.fit(req); e != nil {
		return e
	}
	req.MaxTokens = min(maxTokens, room-len(req.Prompt))
	if req.MaxTokens < 1 {
		return badValue("max_tokens", req.MaxTokens, "max_tokens must be at least 1, got %d.", req.MaxTokens)
	}
	return readSampling(f, req)
}

// limit is a member that holds the answer's length, and what errors call it.
type limit struct{ member, name string }

// fit renders the prompt and refuses one that is longer than the context. The
// real server stops counting at the limit: the number is not the true length.
func (s *Server) fit(req *Request) *apiError {
	room := s.opts.MaxModelLen
	if chars := promptRunes(req); chars > charsPerToken*room {
		return badValue("input_text", chars, "This model's maximum context length is %d tokens. However, your prompt contains %d characters "+
			"(more than %d characters, which is the upper bound for %d input tokens). Please reduce the length of the input prompt.",
			room, chars, charsPerToken*room, room)
	}
	req.Prompt = renderPrompt(req, s.opts.TokenBytes)
	if len(req.Prompt) > room {
		return badValue("input_tokens", room+1, "This model's maximum context length is %d tokens. However, your prompt contains at least %d input tokens, "+
			"which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.", room, room+1)
	}
	return nil
}

func readSampling(f fields, req *Request) *apiError {
	temperature, topP := 1.0, 1.0
	if e := f.into("temperature", "number", &temperature); e != nil {
		return e
	}
	if e := f.into("top_p", "number", &topP); e != nil {
		return e
	}
	if e := f.into("n", "integer", &req.N); e != nil {
		return e
	}
	switch {
	case req.N < 1:
		return badValue("n", req.N, "n must be at least 1, got %d.", req.N)
	case temperature < 0 || temperature > 2:
		return badValue("temperature", pyFloat(temperature), "temperature must be in [0, 2], got %s.", pyFloat(temperature))
	case topP <= 0 || topP > 1:
		return badValue("top_p", pyFloat(topP), "top_p must be in (0, 1], got %s.", pyFloat(topP))
	case temperature < greedy && req.N > 1:
		return badRequest("", "n must be 1 when using greedy sampling, got %s.", strconv.Itoa(req.N))
	}
	return nil
}
