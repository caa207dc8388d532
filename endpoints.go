package llmgateway

import (
	"net/http"
	"strings"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// endpoint is one of the paths that the gateway serves. Which one a request
// means is decided here and nowhere else, by exact path and method: Caddy's
// own matchers fold case, slashes and dots, and what they let through would go
// upstream as it came.
type endpoint struct {
	name    string // in metrics and log
	path    string
	methods string // the Allow header
	kind    endpointKind
	dialect dialect.Dialect
}

type endpointKind uint8

const (
	kindInference endpointKind = iota // charged: messages, chat completions
	kindCount                         // count_tokens: free, has a body
	kindModels                        // model list and single models: free
	kindQuota                         // usage of the caller: free
	kindHealth                        // the process serves HTTP
	kindReady                         // it may be sent traffic
	kindHello                         // Claude Code's start-up probe
	kindRoot                          // a person's browser, or a probe
	kindAsset                         // what the pages need
)

// public endpoints take no credential and say nothing about anyone.
func (k endpointKind) public() bool { return k >= kindHealth }

const (
	methodsPost = "POST, OPTIONS"
	methodsRead = "GET, HEAD, OPTIONS"
)

const modelPathPrefix = "/v1/models/"

var endpoints = func() map[string]*endpoint {
	list := []*endpoint{
		{name: "messages", path: "/v1/messages", methods: methodsPost, kind: kindInference},
		{name: "count_tokens", path: "/v1/messages/count_tokens", methods: methodsPost, kind: kindCount},
		{name: "chat_completions", path: "/v1/chat/completions", methods: methodsPost, kind: kindInference, dialect: dialect.OpenAI},
		{name: "models", path: "/v1/models", methods: methodsRead, kind: kindModels},
		{name: "quota", path: "/quota", methods: methodsRead, kind: kindQuota},
		{name: "health", path: "/health", methods: methodsRead, kind: kindHealth},
		{name: "health", path: "/healthz", methods: methodsRead, kind: kindHealth},
		{name: "ready", path: "/readyz", methods: methodsRead, kind: kindReady},
		{name: "hello", path: "/api/hello", methods: methodsRead, kind: kindHello},
		{name: "hello", path: "/v1/api/hello", methods: methodsRead, kind: kindHello},
		{name: "hello", path: "/v1", methods: methodsRead, kind: kindHello},
		{name: "hello", path: "/v1/", methods: methodsRead, kind: kindHello},
		{name: "root", path: "/", methods: methodsRead, kind: kindRoot},
	}
	byPath := make(map[string]*endpoint, len(list))
	for _, e := range list {
		byPath[e.path] = e
	}
	return byPath
}()

var (
	modelEndpoint = &endpoint{name: "models", methods: methodsRead, kind: kindModels}
	assetEndpoint = &endpoint{name: "asset", methods: methodsRead, kind: kindAsset}
)

// findEndpoint returns the endpoint of a request, or nil. A path that needed
// decoding is none of ours, but for a model's name, which goes nowhere. A base URL that was set with /v1 makes clients ask
// for /v1/v1/…, which means the same.
func findEndpoint(r *http.Request) *endpoint {
	path := r.URL.Path
	if r.URL.RawPath != "" {
		if strings.HasPrefix(r.URL.RawPath, modelPathPrefix) {
			return modelEndpoint // clients encode the slashes of a model's name
		}
		return nil
	}
	if strings.HasPrefix(path, "/v1/v1/") {
		path = path[len("/v1"):]
	}
	if e := endpoints[path]; e != nil {
		return e
	}
	if id := strings.TrimPrefix(path, modelPathPrefix); id != path && id != "" {
		return modelEndpoint
	}
	if strings.HasPrefix(path, "/assets/") {
		return assetEndpoint
	}
	return nil
}

// allows reports whether the endpoint takes the method. Method names are
// case-sensitive (RFC 9110, 9.1): `post` is not POST.
func (e *endpoint) allows(method string) bool {
	if e.methods == methodsPost {
		return method == http.MethodPost
	}
	return method == http.MethodGet || method == http.MethodHead
}

// dialectOf returns the dialect in which a caller reads errors. Where the path
// does not say it, an OpenAI SDK is known by its name and everybody else gets
// the Anthropic shape, which carries a plain sentence too.
func dialectOf(e *endpoint, r *http.Request) dialect.Dialect {
	if e != nil && (e.kind == kindInference || e.kind == kindCount) {
		return e.dialect
	}
	if strings.HasPrefix(r.URL.Path, "/v1/chat/") || strings.Contains(r.UserAgent(), "OpenAI/") {
		return dialect.OpenAI
	}
	return dialect.Anthropic
}
