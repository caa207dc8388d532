package vllmsim

import (
	"hash/fnv"
	"net/http"
)

const version = "0.32.0"

type modelCard struct {
	ID          string       `json:"id"`
	Object      string       `json:"object"`
	Created     int64        `json:"created"`
	OwnedBy     string       `json:"owned_by"`
	Root        string       `json:"root"`
	Parent      *string      `json:"parent"`
	MaxModelLen int          `json:"max_model_len"`
	Permission  []permission `json:"permission"`
}

type permission struct {
	ID                 string  `json:"id"`
	Object             string  `json:"object"`
	Created            int64   `json:"created"`
	AllowCreateEngine  bool    `json:"allow_create_engine"`
	AllowSampling      bool    `json:"allow_sampling"`
	AllowLogprobs      bool    `json:"allow_logprobs"`
	AllowSearchIndices bool    `json:"allow_search_indices"`
	AllowView          bool    `json:"allow_view"`
	AllowFineTuning    bool    `json:"allow_fine_tuning"`
	Organization       string  `json:"organization"`
	Group              *string `json:"group"`
	IsBlocking         bool    `json:"is_blocking"`
}

func (s *Server) serveModels(w http.ResponseWriter, _ *http.Request) {
	now := s.opts.Now().Unix()
	list := struct {
		Object string      `json:"object"`
		Data   []modelCard `json:"data"`
	}{Object: "list"}
	for _, name := range s.opts.Models {
		list.Data = append(list.Data, modelCard{
			ID: name, Object: "model", Created: now, OwnedBy: "vllm", Root: "/simulated/" + name, MaxModelLen: s.opts.MaxModelLen,
			Permission: []permission{{
				ID: "modelperm-" + randomHex(16), Object: "model_permission", Created: now,
				AllowSampling: true, AllowLogprobs: true, AllowView: true, Organization: "*",
			}},
		})
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

func (s *Server) serveVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"version": version})
}

// serveLoad counts as a server with --enable-server-load-tracking does.
func (s *Server) serveLoad(w http.ResponseWriter, _ *http.Request) {
	st := s.Stats()
	writeJSON(w, http.StatusOK, map[string]int{"server_load": st.Running + st.Waiting})
}

// vocabulary is how many token ids there are; the ids are hashes.
const vocabulary = 151936

// serveTokenize takes messages as the chat route does, or a bare prompt.
func (s *Server) serveTokenize(w http.ResponseWriter, r *http.Request) {
	f, e := s.readFields(w, r)
	var req *Request
	if e == nil {
		req, e = s.tokenizable(f)
	}
	if e != nil {
		writeError(w, e, false)
		return
	}
	out := struct {
		Count       int       `json:"count"`
		MaxModelLen int       `json:"max_model_len"`
		Tokens      []int     `json:"tokens"`
		TokenStrs   *[]string `json:"token_strs"`
	}{Count: len(req.Prompt), MaxModelLen: s.opts.MaxModelLen, Tokens: make([]int, len(req.Prompt))}
	for i, t := range req.Prompt {
		h := fnv.New32a()
		h.Write([]byte(t))
		out.Tokens[i] = int(h.Sum32() % vocabulary)
	}
	wanted := false
	if e := f.into("return_token_strs", "boolean", &wanted); e != nil {
		writeError(w, e, false)
		return
	}
	if wanted {
		out.TokenStrs = &req.Prompt
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) tokenizable(f fields) (*Request, *apiError) {
	if !f.has("prompt") {
		req, e := s.parseChat(f)
		if e == nil {
			req.Prompt = renderPrompt(req, s.opts.TokenBytes)
		}
		return req, e
	}
	var prompt string
	req := &Request{}
	if e := s.readModel(f, req); e != nil {
		return nil, e
	}
	if e := f.into("prompt", "string", &prompt); e != nil {
		return nil, e
	}
	req.Prompt = splitTokens(prompt, s.opts.TokenBytes)
	return req, nil
}
