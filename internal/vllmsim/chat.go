package vllmsim

import (
	"encoding/json"
	"net/http"
)

// usage of the chat API. Details that are switched off are null in an answer
// and absent from a stream.
type usage struct {
	Prompt            int             `json:"prompt_tokens"`
	Total             int             `json:"total_tokens"`
	Completion        int             `json:"completion_tokens"`
	PromptDetails     json.RawMessage `json:"prompt_tokens_details,omitempty"`
	CompletionDetails json.RawMessage `json:"completion_tokens_details,omitempty"`
}

type promptDetails struct {
	Cached     int             `json:"cached_tokens"`
	Created    int             `json:"created_cache_tokens"`
	Multimodal json.RawMessage `json:"multimodal_tokens,omitempty"`
}

// tally counts the tokens of all answers of a request.
type tally struct {
	completion, reasoning []int
	cached                int
}

func newTally(n int) tally { return tally{completion: make([]int, n), reasoning: make([]int, n)} }

func (t *tally) add(st step) {
	t.completion[st.index], t.reasoning[st.index] = st.completion, st.reasoning
	t.cached = max(t.cached, st.cached)
}

func sum(of []int) (n int) {
	for _, v := range of {
		n += v
	}
	return n
}

// usage leaves the prompt's details out.
func (t *tally) usage(s *Server, req *Request) *usage {
	u := &usage{Prompt: len(req.Prompt), Completion: sum(t.completion)}
	u.Total = u.Prompt + u.Completion
	if !s.opts.NoReasoningParser {
		u.CompletionDetails = encode(map[string]int{"reasoning_tokens": sum(t.reasoning)})
	}
	return u
}

type chatAnswer struct {
	ID                string          `json:"id"`
	Object            string          `json:"object"`
	Created           int64           `json:"created"`
	Model             string          `json:"model"`
	Choices           []chatChoice    `json:"choices"`
	ServiceTier       *string         `json:"service_tier"`
	SystemFingerprint string          `json:"system_fingerprint"`
	Usage             *usage          `json:"usage"`
	PromptLogprobs    json.RawMessage `json:"prompt_logprobs"`
	PromptTokenIDs    json.RawMessage `json:"prompt_token_ids"`
	PromptText        json.RawMessage `json:"prompt_text"`
	KVTransferParams  json.RawMessage `json:"kv_transfer_params"`
	ECTransferParams  json.RawMessage `json:"ec_transfer_params"`
	Metrics           json.RawMessage `json:"metrics"`
}

type chatChoice struct {
	Index         int             `json:"index"`
	Message       chatReply       `json:"message"`
	Logprobs      json.RawMessage `json:"logprobs"`
	FinishReason  Finish          `json:"finish_reason"`
	StopReason    json.RawMessage `json:"stop_reason"`
	TokenIDs      json.RawMessage `json:"token_ids"`
	RoutedExperts json.RawMessage `json:"routed_experts"`
}

type chatReply struct {
	Role         string          `json:"role"`
	Content      json.RawMessage `json:"content"`
	Refusal      json.RawMessage `json:"refusal"`
	Annotations  json.RawMessage `json:"annotations"`
	Audio        json.RawMessage `json:"audio"`
	FunctionCall json.RawMessage `json:"function_call"`
	ToolCalls    []chatCall      `json:"tool_calls,omitempty"`
	Reasoning    json.RawMessage `json:"reasoning"`
}

type chatCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

func (s *Server) serveChat(w http.ResponseWriter, r *http.Request) {
	f, e := s.readFields(w, r)
	var req *Request
	if e == nil {
		req, e = s.parseChat(f)
	}
	if e == nil {
		e = s.readLimits(f, req, limit{"max_completion_tokens", "max_completion_tokens"}, limit{"max_tokens", "max_tokens"})
	}
	s.serve(w, r, req, e, false)
}

// writeChat answers a request that does not stream.
func (s *Server) writeChat(w http.ResponseWriter, req *Request, a *assembled) {
	out := chatAnswer{
		ID: req.ID, Object: "chat.completion", Created: s.opts.Now().Unix(), Model: req.Model, SystemFingerprint: s.fingerprint,
		Usage: a.tally.usage(s, req),
	}
	out.Usage.PromptDetails = null
	if s.opts.PromptTokensDetails {
		out.Usage.PromptDetails = encode(promptDetails{Cached: a.tally.cached, Multimodal: null})
	}
	if out.Usage.CompletionDetails == nil {
		out.Usage.CompletionDetails = null
	}
	for i, t := range a.texts {
		c := chatChoice{Index: i, FinishReason: t.finish, StopReason: nullable(t.matched)}
		c.Message.Role = "assistant"
		c.Message.Content = nullable(t.content)
		c.Message.Reasoning = nullable(t.reasoning)
		for _, call := range t.calls {
			cc := chatCall{ID: call.id, Type: "function"}
			cc.Function.Name, cc.Function.Arguments = call.name, call.arguments
			c.Message.ToolCalls = append(c.Message.ToolCalls, cc)
		}
		if req.Choice.forced() && t.content == "" {
			c.Message.Content = encode("")
		}
		out.Choices = append(out.Choices, c)
	}
	writeJSON(w, http.StatusOK, out)
}
