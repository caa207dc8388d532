package routing

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// defaultAnthropicVersion is sent where the client names none.
const defaultAnthropicVersion = "2023-06-01"

// Hop is what the header of one upstream request depends on besides the
// client's: where it goes and in whose name.
type Hop struct {
	Backend *Backend
	// RequestID is ours. A client's is never forwarded.
	RequestID string
	// Changed tells that the target is another model than the one that the
	// client asked for, the contrary of [Route.Same]: betas that a model may
	// lack are left out. Default: everything passes byte for byte.
	Changed bool
}

// UpstreamHeader fills dst, which must be empty, with the header of a request
// to the backend. It is an allow-list: what the backend's API does not define
// stays here, above all every credential, identity and forwarding header of the
// client, and whatever its Connection header names.
//
// Towards Anthropic: anthropic-version, anthropic-beta byte for byte (but for
// Changed), and other anthropic-* members of that API but those that choose an
// account. Towards OpenAI: openai-beta. Client metadata (User-Agent, x-stainless-*,
// x-claude-code-*) belongs to neither API and is not passed; so is
// Idempotency-Key, by which one client could read another's answer.
func UpstreamHeader(dst, src http.Header, hop Hop) {
	dst.Set("Content-Type", "application/json")
	dst.Set("Accept", "application/json")
	// Said aloud, or Go's transport asks for gzip, which delays events.
	dst.Set("Accept-Encoding", "identity")
	dst.Set("User-Agent", "llm-gateway")
	switch hop.Backend.API {
	case Anthropic:
		anthropicHeader(dst, src)
		if hop.Changed {
			dropModelBetas(dst)
		}
	case OpenAI:
		if values := src.Values("Openai-Beta"); len(values) > 0 {
			dst["Openai-Beta"] = values
		}
		dst.Set("X-Client-Request-Id", hop.RequestID)
	case VLLM, OpenAICompatible:
		dst.Set("X-Request-Id", hop.RequestID)
	}
}

// KeyHeader returns the header in which an API takes its key. It is set apart
// from the others, in the last moment before a request leaves.
func (a API) KeyHeader(key string) (name, value string) {
	if a == Anthropic {
		return "X-Api-Key", key
	}
	return "Authorization", "Bearer " + key
}

// accountWords are parts of names of headers that say on whose account a
// request runs, or that prove it.
var accountWords = []string{"key", "token", "auth", "secret", "cookie", "organization", "workspace", "account", "profile", "user", "dangerous"}

func anthropicHeader(dst, src http.Header) {
	for name, values := range src {
		if strings.HasPrefix(name, "Anthropic-") && !ofAccount(name) {
			dst[name] = values
		}
	}
	if dst.Get("Anthropic-Version") == "" {
		dst.Set("Anthropic-Version", defaultAnthropicVersion)
	}
}

// modelBeta begins the betas that single models have and all others refuse with
// a 400 for the whole request: the context of a million tokens.
const modelBeta = "context-1m-"

// dropModelBetas takes the betas of single models out of anthropic-beta. Values
// without one stay byte for byte.
func dropModelBetas(h http.Header) {
	const name = "Anthropic-Beta"
	var kept []string // never the client's own slice
	for _, value := range h[name] {
		if !strings.Contains(value, modelBeta) {
			kept = append(kept, value)
			continue
		}
		betas := slices.DeleteFunc(strings.Split(value, ","), func(beta string) bool {
			return strings.HasPrefix(strings.TrimSpace(beta), modelBeta)
		})
		if rest := strings.TrimSpace(strings.Join(betas, ",")); rest != "" {
			kept = append(kept, rest)
		}
	}
	if len(kept) == 0 {
		delete(h, name)
		return
	}
	h[name] = kept
}

func ofAccount(name string) bool {
	name = strings.ToLower(name)
	for _, word := range accountWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// maxRetryAfter is the longest pause in seconds that an upstream may ask a
// client for: the official SDKs sleep as long as they are told.
const maxRetryAfter = 3600

// ClientHeader adds to dst, the header of the answer, what the client may see
// of a backend's: the content's type and encoding, how long to wait, and in the
// backend's own dialect its request id, its word on retries and, with a 429,
// its limits. Nothing else passes: no cookies, servers, redirects, CORS or
// account ids. What dst has for a name that passes is replaced.
func ClientHeader(dst, src http.Header, b *Backend, d dialect.Dialect, status int) {
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		if v := src.Get(name); v != "" {
			dst.Set(name, v)
		}
	}
	if after, ok := clampRetryAfter(src.Get("Retry-After")); ok {
		dst.Set("Retry-After", after)
	}
	prefix := ""
	switch {
	case b.API == Anthropic && d == dialect.Anthropic:
		prefix = "Anthropic-Ratelimit-"
		if id := src.Get("Request-Id"); id != "" {
			dst.Set("Request-Id", id)
		}
	case b.API == OpenAI && d == dialect.OpenAI:
		prefix = "X-Ratelimit-"
	default:
		return
	}
	if v := src.Get("X-Should-Retry"); v == "true" || v == "false" {
		dst.Set("X-Should-Retry", v)
	}
	if status != http.StatusTooManyRequests {
		return
	}
	for name, values := range src {
		if strings.HasPrefix(name, prefix) {
			dst[name] = values
		}
	}
}

// clampRetryAfter returns whole seconds, at most an hour. A date is dropped: no
// client of ours reads one.
func clampRetryAfter(v string) (string, bool) {
	seconds, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		if strings.Trim(v, "0123456789") == "" && v != "" {
			return strconv.Itoa(maxRetryAfter), true
		}
		return "", false
	}
	return strconv.FormatUint(min(seconds, maxRetryAfter), 10), true
}
