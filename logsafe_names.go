package llmgateway

import (
	"net/url"
	"slices"
	"strings"
)

// secretWords are parts of names whose values are credentials, or as good as
// one: who has a session's id may be taken for its owner.
var secretWords = []string{
	"auth", "key", "token", "secret", "cookie", "session", "credential",
	"password", "passwd", "signature", "jwt", "assertion",
}

// isSecretHeader errs on the side of silence: an `Idempotency-Key` less in a
// log hurts nobody.
func isSecretHeader(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// secretFields are names of log fields that hold a credential. Fields are
// written by programs, not sent by clients, so that the names can be exact and
// `max_tokens` or `session_key` stay readable.
var secretFields = []string{
	"access_token", "api_key", "apikey", "authorization", "client_secret", "cookie",
	"credential", "id_token", "jwt", "password", "refresh_token", "secret", "token", "x_api_key",
}

func isSecretField(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	return slices.Contains(secretFields, name)
}

// isHeaders tells the objects of Caddy's log lines that hold headers: `headers`
// of a request, `resp_headers` beside it.
func isHeaders(name string) bool { return strings.HasSuffix(strings.ToLower(name), "headers") }

// isLink tells the fields and headers that hold a URL.
func isLink(name string) bool {
	switch strings.ToLower(name) {
	case "uri", "url", "query", "request_uri", "referer", "location", "content-location", "refresh":
		return true
	}
	return false
}

// harmlessParameters page through a list or choose its form.
var harmlessParameters = []string{
	"after", "after_id", "before", "before_id", "beta", "format", "limit", "order", "api-version",
}

// safeLink returns a URL or request target without its fragment and with those
// parameters only that cannot hold a secret. A path that hides a token behind
// percent signs is masked whole.
func safeLink(link string) string {
	link, _, _ = strings.Cut(link, "#")
	path, query, _ := strings.Cut(link, "?")
	for decoded := path; ; {
		next, err := url.PathUnescape(decoded)
		if err != nil || next == decoded {
			break
		}
		decoded = next
		if _, secret := maskLine([]byte(decoded)); secret {
			path = mask
			break
		}
	}
	var kept []string
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if slices.Contains(harmlessParameters, name) && isPlain(value) {
			kept = append(kept, parameter)
		}
	}
	if kept == nil {
		return path
	}
	return path + "?" + strings.Join(kept, "&")
}

// isPlain accepts numbers, dates, ids and nothing that must be encoded.
func isPlain(value string) bool {
	return len(value) <= 64 && strings.IndexFunc(value, func(r rune) bool {
		return !strings.ContainsRune("_-.:,", r) && (r > 'z' || !isWordByte(byte(r)))
	}) < 0
}
