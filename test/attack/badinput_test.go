//go:build attack

package attack

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/auth/keycloak/attacktest"
)

// wanted is how a refusal must look in one dialect.
type wanted struct {
	status int
	kind   string // error.type to Anthropic clients, error.code to OpenAI's if there is one, else error.type
}

// bad is one row of the matrix of bad input.
type bad struct {
	name      string
	tier      string // default free
	site      string // default main
	change    func(r *request)
	anthropic wanted
	openai    wanted
	says      string   // part of the sentence: what happened or what to do next
	headers   []string // that must be there
}

// badInputs holds each bad input to status, type and sentence of both
// dialects; nothing may be charged or sent on.
func (w *world) badInputs(t *testing.T) {
	rows := append(badBodies(), badRequests()...)
	for _, row := range append(rows, w.badTokens(t)...) {
		both(func(path, proto string) {
			w.attack(t, "input", row.name+" "+path+" "+proto, func(t *testing.T) { w.badInput(t, row, path, proto) })
		})
	}
	w.attack(t, "input", "a body that ends before its announced length", w.shortBody)
}

func (w *world) badInput(t *testing.T, row bad, path, proto string) {
	r := request{site: "main", proto: proto, path: path, body: ask("claude-3-opus", false)}
	tier := "free"
	if row.tier != "" {
		tier = row.tier
	}
	if row.site != "" {
		r.site = row.site
	}
	subject, token := w.person(t, tier)
	r.header = bearer(token)
	row.change(&r)
	before := w.watch(t)
	got := w.send(t, r)
	w.clean(t, got)
	w.hold(t, row, path, got)
	before.nothing(t)
	w.wantCharge(t, subject, 0)
}

// hold compares a refusal with its row.
func (w *world) hold(t *testing.T, row bad, path string, got reply) {
	t.Helper()
	want := row.anthropic
	if path == chat {
		want = row.openai
	}
	e := refused(t, path, got, want.status)
	if kind := e.Type; want.kind != kind && want.kind != e.Code {
		t.Errorf("type %q, code %q, want %q", kind, e.Code, want.kind)
	}
	if !strings.Contains(e.Message, row.says) {
		t.Errorf("message %q, want %q in it", e.Message, row.says)
	}
	for _, name := range row.headers {
		if got.header.Get(name) == "" {
			t.Errorf("no header %s", name)
		}
	}
	if got.header.Get("Request-Id") == "" {
		t.Error("no request id")
	}
}

func badBodies() []bad {
	invalid := wanted{400, "invalid_request_error"}
	set := func(body string) func(*request) { return func(r *request) { r.body = []byte(body) } }
	big := `{"model":"claude-3-opus","x":"` + strings.Repeat("A", 32<<20) + `"}`
	tooBig, media := wanted{413, "request_too_large"}, wanted{415, "invalid_request_error"}
	tooBigChat := wanted{413, "invalid_request_error"}
	return []bad{
		{name: "oversized", change: set(big), anthropic: tooBig, openai: tooBigChat, says: "larger than 32 MiB"},
		{name: "oversized, length not announced", change: func(r *request) { r.body, r.chunked = []byte(big), true }, anthropic: tooBig, openai: tooBigChat, says: "larger than 32 MiB"},
		{name: "truncated", change: func(r *request) { r.body = r.body[:len(r.body)-3] }, anthropic: invalid, openai: invalid, says: "body"},
		{name: "compressed", change: func(r *request) { r.header.Set("Content-Encoding", "gzip") }, anthropic: media, openai: media, says: "without content-encoding"},
		{name: "not JSON", change: set("hello"), anthropic: invalid, openai: invalid, says: "body"},
		{name: "two models", change: set(`{"model":"claude-3-opus","max_tokens":1,"messages":[],"model":"qwen3-32b"}`), anthropic: invalid, openai: invalid, says: "Request body has two members named model"},
		{name: "two models, one in odd case", change: set(`{"model":"claude-3-opus","Model":"gpt-5","messages":[]}`), anthropic: invalid, openai: invalid, says: "Request body has a member named Model"},
		{name: "odd-case model alone", change: set(`{"MODEL":"claude-3-opus","messages":[]}`), anthropic: invalid, openai: invalid, says: "Request body has a member named MODEL"},
		{name: "200,000 levels deep", change: set(`{"model":"claude-3-opus","x":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}`), anthropic: invalid, openai: invalid, says: "deep"},
		{name: "form", change: func(r *request) { r.header.Set("Content-Type", "application/x-www-form-urlencoded") }, anthropic: media, openai: media, says: "application/json"},
		{name: "unknown model", tier: "enterprise", change: func(r *request) { r.body = ask("qwen-9", false) }, anthropic: wanted{404, "not_found_error"}, openai: wanted{404, "model_not_found"}, says: "You may use"},
		{name: "model beyond the wall", site: "walled", change: func(r *request) { r.body = ask("claude-opus-5-5", false) }, anthropic: wanted{400, "policy_blocked"}, openai: wanted{403, "model_not_allowed"}, says: "Use "},
	}
}

func badRequests() []bad {
	method := wanted{405, "invalid_request_error"}
	none := wanted{401, "authentication_error"}
	noneChat := wanted{401, "missing_api_key"}
	var rows []bad
	for _, name := range []string{"GET", "PUT", "PATCH", "DELETE", "post", "PROPFIND"} {
		rows = append(rows, bad{
			name: "method " + name, change: func(r *request) { r.method = name },
			anthropic: method, openai: method, says: "Use POST", headers: []string{"Allow"},
		})
	}
	return append(rows,
		bad{name: "no token", change: func(r *request) { r.header.Del("Authorization") }, anthropic: none, openai: noneChat, says: "No token in the request. Set ANTHROPIC_AUTH_TOKEN", headers: []string{"Www-Authenticate", "X-Should-Retry"}},
		bad{name: "unknown path", change: func(r *request) { r.path += "/nowhere" }, anthropic: wanted{404, "not_found_error"}, openai: wanted{404, "not_found_error"}, says: "This gateway serves"},
	)
}

// badTokens are credentials that are no good, each for a reason that people
// can be told.
func (w *world) badTokens(t *testing.T) []bad {
	t.Helper()
	row := func(name, says, token string) bad {
		w.secrets.add(token, name)
		return bad{
			name: name, change: func(r *request) { r.header.Set("Authorization", "Bearer "+token) },
			anthropic: wanted{401, "authentication_error"}, openai: wanted{401, "invalid_api_key"},
			says: says, headers: []string{"Www-Authenticate", "X-Should-Retry"},
		}
	}
	claims := func(name, says string, claims map[string]any, sign *attacktest.Sign) bad {
		a, err := w.lab.Attempt(w.suite, attacktest.Case{ID: name, Claims: claims, Sign: sign}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		w.secrets.addToken(a.Token, name)
		return row(name, says, a.Token)
	}
	expired := map[string]any{"iat": "now-1000", "exp": "now-700"}
	return []bad{
		row("a word as token", "not issued for this gateway", "abc"),
		row("key of a provider", "Provider keys", "sk-ant-api03-"+strings.Repeat("Zq7", 30)),
		row("unknown key of a user", "not issued for this gateway", "llmgw_u_"+strings.Repeat("Zq7", 16)),
		claims("expired token", "Your token expired", expired, nil),
		claims("token for another application", "token for another application", map[string]any{"aud": "account"}, nil),
		claims("token of a foreign client", "clients other-app", map[string]any{"azp": "other-app"}, nil),
		claims("token of another realm", "not issued for this gateway", map[string]any{"iss": "https://elsewhere.test/realms/x"}, nil),
		claims("token signed by somebody else", "not issued for this gateway", nil, &attacktest.Sign{Key: "rsa-attacker", Alg: "RS256"}),
	}
}

// shortBody announces more than it sends and closes its side.
func (w *world) shortBody(t *testing.T) {
	_, token := w.person(t, "free")
	before := w.watch(t)
	conn, err := net.Dial("tcp", w.sites["main"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(rawLimit))
	text := head("POST", messages, "Host: x", "Content-Type: application/json", "Authorization: Bearer "+token, "Content-Length: 5000")
	if _, err := fmt.Fprintf(conn, "%s%s", text, ask("claude-3-opus", false)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for _, r := range readReplies(conn) {
		if r.status < 400 {
			t.Errorf("status %d %s", r.status, r.body)
		}
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
	before.nothing(t)
}

// spent asks once more than the free tier allows: the refusal names tier,
// limit and reset, and the eleventh is neither charged nor sent on.
func (w *world) spent(t *testing.T) {
	both(func(path, proto string) {
		subject, token := w.person(t, "free")
		r := request{site: "main", proto: proto, path: path, header: bearer(token), body: ask("claude-3-opus", false)}
		w.control(t, "spent", "ten requests "+path+" "+proto, func(t *testing.T) {
			for range 10 {
				if got := w.send(t, r); got.status != http.StatusOK {
					t.Errorf("status %d %s", got.status, got.body)
				}
			}
			w.wantCharge(t, subject, 10)
		})
		w.attack(t, "spent", "the eleventh "+path+" "+proto, func(t *testing.T) {
			before := w.watch(t)
			got := w.send(t, r)
			row := bad{anthropic: wanted{429, "billing_error"}, openai: wanted{429, "insufficient_quota"}, says: "10 of 10 requests on the free plan", headers: []string{"Retry-After", "X-Should-Retry"}}
			if until := time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)); until < 2*time.Minute {
				row = bad{anthropic: wanted{429, "rate_limit_error"}, openai: wanted{429, "rate_limit_exceeded"}, says: "10 of 10 requests on the free plan", headers: []string{"Retry-After"}}
			}
			w.hold(t, row, path, got)
			before.nothing(t)
		})
	})
}
