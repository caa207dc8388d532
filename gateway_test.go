package llmgateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/openova-io/llm-gateway/auth/users"
)

// gateway is a whole gateway in this process: the real handlers behind a real
// listener, users in a file, counters in an embedded store, and an upstream
// that the test scripts. One process holds one Caddy, so these tests do not run
// in parallel.
type gateway struct {
	t      testing.TB
	base   string
	dir    string
	token  map[string]string
	config func(upstream string) string

	upstream *httptest.Server
	script   atomic.Pointer[http.HandlerFunc]
	seen     atomic.Int64 // requests that reached the upstream
}

// tinyTiers are plans that tests can use up.
const tinyTiers = `
			tier tiny {
				limit 3 requests per day
				allow internal
				route claude-* to qwen3-32b
			}
			tier wide {
				limit unlimited
				allow internal
				default qwen3-32b
			}`

// startGateway runs a gateway with the two tiers above and a vLLM backend; more
// is put into the llm_gateway block.
func startGateway(t testing.TB, more string) *gateway {
	t.Helper()
	return startSite(t, "", func(dir, upstream string) string {
		return fmt.Sprintf(`llm_gateway {
			auth users %[1]s/users.json
			quota embedded %[1]s/quota%[2]s
			backend internal vllm %[3]s/v1 {
				models qwen3-32b
				native_messages
			}%[4]s
		}`, dir, tinyTiers, upstream, more)
	})
}

// startSite runs a gateway on directives of the test's own, with more global
// options. dir holds users.json and whatever the site keeps.
func startSite(t testing.TB, globals string, site func(dir, upstream string) string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), token: make(map[string]string)}
	var file users.File
	for _, tier := range []string{"tiny", "wide"} {
		token, hash := users.NewToken()
		g.token[tier] = token
		file.Users = append(file.Users, users.User{Name: tier, Tier: tier, Tokens: []users.Token{{SHA256: hash}}})
	}
	if err := file.Write(filepath.Join(g.dir, "users.json")); err != nil {
		t.Fatal(err)
	}
	g.upstream = httptest.NewServer(http.HandlerFunc(g.serveUpstream))
	t.Cleanup(g.upstream.Close)
	g.answer(plainAnswer)
	address := freeAddress(t)
	g.base = "http://" + address
	_, port, _ := net.SplitHostPort(address)
	g.config = func(upstream string) string {
		return fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	%[4]s
	storage file_system %[1]s/caddy
	log default {
		output file %[1]s/caddy.log
	}
}
http://:%[2]s {
	bind 127.0.0.1
	handle /metrics {
		metrics
	}
	handle {
		%[3]s
	}
}
`, g.dir, port, site(g.dir, upstream), globals)
	}
	g.load(g.config(g.upstream.URL))
	t.Cleanup(func() { _ = caddy.Stop() })
	return g
}

// logged returns what Caddy and the gateway have logged so far.
func (g *gateway) logged() string {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, "caddy.log"))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// load adapts and loads a Caddyfile, as `caddy run` and `caddy reload` do.
func (g *gateway) load(caddyfile string) {
	g.t.Helper()
	if err := tryLoad(caddyfile); err != nil {
		g.t.Fatalf("loading: %v", err)
	}
}

func tryLoad(caddyfile string) error {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	return caddy.Load(adapted, true)
}

func (g *gateway) serveUpstream(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/models" {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"qwen3-32b","object":"model","max_model_len":40960}]}`)
		return
	}
	// As a model server does; and until then Go's server does not notice that
	// its client is gone.
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.seen.Add(1)
	(*g.script.Load())(w, r)
}

// answer scripts what the upstream does from now on.
func (g *gateway) answer(f http.HandlerFunc) { g.script.Store(&f) }

const messageJSON = `{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"hello"}],"model":"qwen3-32b","stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}}`

func plainAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, messageJSON)
}

// sseEvents writes events and flushes each.
func sseEvents(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		var typ struct{ Type string }
		_ = json.Unmarshal([]byte(e), &typ)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", typ.Type, e)
		http.NewResponseController(w).Flush()
	}
}

var (
	streamStart = []string{
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"qwen3-32b","usage":{"input_tokens":7,"output_tokens":0}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	}
	streamText = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}`
	streamEnd  = []string{
		`{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}`,
		`{"type":"message_stop"}`,
	}
)

const helloBody = `{"model":"claude-opus-5-5","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}`

var streamBody = strings.Replace(helloBody, `"max_tokens"`, `"stream":true,"max_tokens"`, 1)

// do sends a request on behalf of a tier's user and returns the answer with its
// body read.
func (g *gateway) do(tier, method, path, body string) (*http.Response, string) {
	g.t.Helper()
	r := g.request(tier, method, path, body)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		text = append(text, "\n(read: "+err.Error()+")"...)
	}
	return res, string(text)
}

func (g *gateway) request(tier, method, path, body string) *http.Request {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		g.t.Fatal(err)
	}
	if tier != "" {
		r.Header.Set("Authorization", "Bearer "+g.token[tier])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// used returns what the tier's user has used for good and what is reserved.
func (g *gateway) used(tier string) (used, reserved int64) {
	g.t.Helper()
	res, text := g.do(tier, http.MethodGet, "/quota", "")
	var report quotaReport
	if err := json.Unmarshal([]byte(text), &report); err != nil || res.StatusCode != http.StatusOK {
		g.t.Fatalf("GET /quota = %d %s, %v", res.StatusCode, text, err)
	}
	return report.Windows[0].Used, report.Windows[0].Reserved
}

// wantUsed waits until a settle off the path has arrived.
func (g *gateway) wantUsed(tier string, want int64) {
	g.t.Helper()
	var used, reserved int64
	for range 100 {
		if used, reserved = g.used(tier); used == want && reserved == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.t.Errorf("%s has used %d and reserved %d, want %d and 0", tier, used, reserved, want)
}

// errorOf reads an error in either dialect.
func errorOf(t *testing.T, text string) (kind, message string) {
	t.Helper()
	var e struct {
		Type  string
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.Error.Message == "" {
		t.Fatalf("%q is no error body: %v", text, err)
	}
	return e.Error.Type, e.Error.Message
}
