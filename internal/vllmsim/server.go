package vllmsim

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// Server is a simulated vLLM. It is an [http.Handler]; close idle connections
// after five seconds (http.Server.IdleTimeout) to be like the real one there
// too.
type Server struct {
	opts        Options
	fingerprint string
	metrics     *metrics
	scheduler   *scheduler
	routes      map[string]route
}

type route struct {
	method string
	serve  http.HandlerFunc
}

// New makes a server.
func New(o Options) *Server {
	s := &Server{opts: o.withDefaults(), fingerprint: "vllm-" + version + "-" + randomHex(8), metrics: newMetrics()}
	s.scheduler = newScheduler(s.opts.MaxNumSeqs, s.opts.MaxNumQueued, s.metrics)
	s.routes = map[string]route{
		"/v1/chat/completions":      {http.MethodPost, s.serveChat},
		"/v1/messages":              {http.MethodPost, s.serveMessages},
		"/v1/messages/count_tokens": {http.MethodPost, s.serveCountTokens},
		"/v1/models":                {http.MethodGet, s.serveModels},
		"/tokenize":                 {http.MethodPost, s.serveTokenize},
		"/health":                   {http.MethodGet, s.serveHealth},
		"/version":                  {http.MethodGet, s.serveVersion},
		"/load":                     {http.MethodGet, s.serveLoad},
		"/metrics":                  {http.MethodGet, s.serveMetrics},
		// Runs the model without a key, although there is one: a proxy must never
		// let it through.
		"/invocations": {http.MethodPost, s.serveChat},
	}
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	h := rec.Header()
	h.Set("Server", "uvicorn")
	handler := "none"
	// An answer that its client did not wait for is counted nowhere.
	defer func() {
		if r.Context().Err() == nil && rec.wrote {
			s.metrics.request(handler, r.Method, rec.status)
		}
	}()
	if !s.allowed(r) {
		writeError(rec, &apiError{status: http.StatusUnauthorized, message: "Unauthorized", shape: shapePlainError}, false)
		return
	}
	h.Set("Vary", "Origin")
	if s.opts.RequestIDHeaders {
		id := r.Header.Get("X-Request-Id")
		if id == "" {
			id = randomHex(32)
		}
		h.Set("X-Request-Id", id)
	}
	rt, ok := s.routes[r.URL.Path]
	if !ok {
		writeError(rec, detail(http.StatusNotFound, "Not Found"), false)
		return
	}
	if r.Method != rt.method {
		e := detail(http.StatusMethodNotAllowed, "Method Not Allowed")
		e.allow = rt.method
		writeError(rec, e, false)
		return
	}
	handler = r.URL.Path
	rt.serve(rec, r)
}

// allowed checks the key. Only paths that begin with /v1 are guarded.
func (s *Server) allowed(r *http.Request) bool {
	if s.opts.APIKey == "" || !strings.HasPrefix(r.URL.Path, "/v1") {
		return true
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.APIKey)) == 1
}

// recorder remembers the status for the metrics.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	r.status, r.wrote = status, true
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] flush.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// serves says that name is one of the served models.
func (s *Server) serves(name string) bool { return slices.Contains(s.opts.Models, name) }
