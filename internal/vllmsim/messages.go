package vllmsim

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// messageUsage of the native route. The cache's members are there only with
// --enable-prompt-tokens-details; the input is then what the cache did not hold.
type messageUsage struct {
	Input         int  `json:"input_tokens"`
	Output        int  `json:"output_tokens"`
	CacheCreation *int `json:"cache_creation_input_tokens,omitempty"`
	CacheRead     *int `json:"cache_read_input_tokens,omitempty"`
}

func (t *tally) messageUsage(s *Server, req *Request) messageUsage {
	u := messageUsage{Input: len(req.Prompt), Output: sum(t.completion)}
	if s.opts.PromptTokensDetails {
		u.Input -= t.cached
		u.CacheCreation, u.CacheRead = new(int), &t.cached
	}
	return u
}

type messageAnswer struct {
	ID           string         `json:"id"`
	Type         string         `json:"type"`
	Role         string         `json:"role"`
	Content      []messageBlock `json:"content"`
	Model        string         `json:"model"`
	StopReason   *string        `json:"stop_reason,omitempty"`
	StopSequence string         `json:"stop_sequence,omitempty"`
	Usage        messageUsage   `json:"usage"`
}

// messageBlock holds the members of all kinds of blocks; a kind sets its own.
type messageBlock struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Thinking  *string         `json:"thinking,omitempty"`
	Signature string          `json:"signature,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

func (s *Server) serveMessages(w http.ResponseWriter, r *http.Request) {
	f, e := s.readFields(w, r)
	var req *Request
	if e == nil {
		req, e = s.parseMessages(f, false)
	}
	if e == nil {
		e = s.readLimits(f, req, limit{"max_tokens", "max_completion_tokens"})
	}
	s.serve(w, r, req, e, true)
}

func (s *Server) serveCountTokens(w http.ResponseWriter, r *http.Request) {
	f, e := s.readFields(w, r)
	var req *Request
	if e == nil {
		req, e = s.parseMessages(f, true)
	}
	if e != nil {
		writeError(w, e, true)
		return
	}
	n := len(renderPrompt(req, s.opts.TokenBytes))
	var out struct {
		Input   int `json:"input_tokens"`
		Context struct {
			Original int `json:"original_input_tokens"`
		} `json:"context_management"`
	}
	out.Input, out.Context.Original = n, n
	writeJSON(w, http.StatusOK, out)
}

// stopReason is the native word for the end of an answer. There is none for an
// abort: the member is null, or absent where nulls are left out.
func stopReason(f Finish, matched string, called bool) *string {
	word := ""
	switch {
	case matched != "":
		word = "stop_sequence"
	case f == FinishLength:
		word = "max_tokens"
	case called:
		word = "tool_use"
	case f == FinishStop:
		word = "end_turn"
	default:
		return nil
	}
	return &word
}

// writeMessage answers a request that does not stream.
func (s *Server) writeMessage(w http.ResponseWriter, req *Request, a *assembled) {
	t := a.texts[0]
	out := messageAnswer{
		ID: req.ID, Type: "message", Role: "assistant", Model: req.Model, StopSequence: t.matched,
		StopReason: stopReason(t.finish, t.matched, len(t.calls) > 0), Usage: a.tally.messageUsage(s, req),
	}
	if t.reasoning != "" {
		out.Content = append(out.Content, messageBlock{Type: "thinking", Thinking: &t.reasoning, Signature: newSignature()})
	}
	if t.content != "" || (t.reasoning == "" && t.calls == nil) {
		out.Content = append(out.Content, messageBlock{Type: "text", Text: &t.content})
	}
	for _, c := range t.calls {
		var input bytes.Buffer
		if json.Compact(&input, []byte(c.arguments)) != nil {
			input.Reset()
			input.WriteString("{}")
		}
		out.Content = append(out.Content, messageBlock{Type: "tool_use", ID: c.id, Name: c.name, Input: input.Bytes()})
	}
	writeJSON(w, http.StatusOK, out)
}
