package llmgateway

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// canary is a secret of no known form: only where it stands gives it away.
const canary = "canary7f3a9c0d"

// TestAccessLogHoldsNoCredential sends canaries through a real Caddy and reads
// its access log. The same request through `format json` shows that the test
// would see them.
func TestAccessLogHoldsNoCredential(t *testing.T) {
	request := func(address string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://"+address+"/v1/messages?beta=true&api_key="+canary+"&x="+canary, strings.NewReader(canary))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "x-API-key",
			"X-Amz-Security-Token", "X-Auth-Request-Access-Token", "Mcp-Session-Id", "X-Client-Secret",
		} {
			r.Header.Set(name, canary)
		}
		r.Header.Set("Referer", "https://idp/cb?code="+canary+"#id_token="+canary)
		r.Header.Set("X-Note", "sk-ant-"+canary)
		r.Header.Set("User-Agent", "claude-cli/2.1")
		return r
	}
	safe := accessLog(t, "format llm_safe", request)
	if n := strings.Count(safe, canary); n != 0 {
		t.Errorf("llm_safe leaves %d canaries in: %s", n, safe)
	}
	for _, want := range []string{`"uri":"/v1/messages?beta=true"`, `"claude-cli/2.1"`, `"X-Note":["***"]`, `"Referer":["https://idp/cb"]`, `"status":200`, `"X-Plain":["yes"]`} {
		if !strings.Contains(safe, want) {
			t.Errorf("llm_safe lost %s of: %s", want, safe)
		}
	}
	if plain := accessLog(t, "format json", request); strings.Count(plain, canary) < 8 {
		t.Errorf("the control shows too few canaries, so this test proves nothing: %s", plain)
	}
}

// accessLog returns the access log line that Caddy writes for one request.
func accessLog(t *testing.T, format string, request func(address string) *http.Request) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "access.log")
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
		admin off
		default_bind 127.0.0.1
		persist_config off
		storage file_system `+dir+`
	}
	http://`+address+` {
		log {
			output file `+file+`
			`+format+`
		}
		header Set-Cookie id=`+canary+`
		header X-Session-Token `+canary+`
		header X-Plain yes
		respond ok
	}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request(address))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil { // waits for the handler, which writes the line
		t.Fatal(err)
	}
	line, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(line) {
		t.Errorf("no JSON: %s", line)
	}
	return string(line)
}

func newSafeEncoder(t *testing.T, options string) *SafeEncoder {
	t.Helper()
	tokens, err := caddyfile.Tokenize([]byte(options), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	e := new(SafeEncoder)
	if err := e.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
		t.Fatal(err)
	}
	if err := e.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestSafeEncoderHidesInEveryKindOfField adds a secret in each way that zap has,
// to the line and to the logger.
func TestSafeEncoderHidesInEveryKindOfField(t *testing.T) {
	header := http.Header{"X-Api-Key": {canary}, "Accept": {"yes"}}
	for name, field := range map[string]zap.Field{
		"string by name":     zap.String("token", canary),
		"string by form":     zap.String("note", "sk-"+canary),
		"bytes by name":      zap.ByteString("api_key", []byte(canary)),
		"bytes by form":      zap.ByteString("note", []byte("sk-"+canary)),
		"error":              zap.Error(errors.New("dial redis://u:" + canary + "@valkey")),
		"array":              zap.Strings("args", []string{"Bearer " + canary}),
		"reflected":          zap.Any("map", map[string]any{"a": "llmgw_k_" + canary}),
		"headers, object":    zap.Object("headers", caddyhttp.LoggableHTTPHeader{Header: header}),
		"headers, reflected": zap.Reflect("upstream", header),
		"headers, a map":     zap.Reflect("upstream", map[string][]string(header)),
		"link":               zap.String("uri", "/x?k="+canary),
		"nested": zap.Dict("request", zap.String("uri", "/x?k="+canary),
			zap.Object("headers", caddyhttp.LoggableHTTPHeader{Header: header, ShouldLogCredentials: true})),
	} {
		t.Run(name, func(t *testing.T) {
			e := newSafeEncoder(t, "llm_safe")
			ofLogger, ok := e.Clone().(*SafeEncoder)
			if !ok {
				t.Fatal("a clone is another encoder")
			}
			field.AddTo(ofLogger)
			for how, encode := range map[string]func() (interface{ String() string }, error){
				"line": func() (interface{ String() string }, error) {
					return e.EncodeEntry(zapcore.Entry{}, []zap.Field{field})
				},
				"logger": func() (interface{ String() string }, error) { return ofLogger.EncodeEntry(zapcore.Entry{}, nil) },
			} {
				out, err := encode()
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(out.String(), canary) || !json.Valid([]byte(out.String())) {
					t.Errorf("%s: %s", how, out)
				}
			}
		})
	}
}

func TestSafeEncoderMasksTheMessage(t *testing.T) {
	e := newSafeEncoder(t, "llm_safe {\n\tmessage_key text\n\ttime_format unix_nano\n}")
	out, err := e.EncodeEntry(zapcore.Entry{Message: "refused sk-" + canary, LoggerName: "x.sk-" + canary}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if line := out.String(); strings.Contains(line, canary) || !strings.Contains(line, `"text":"refused ***"`) {
		t.Errorf("got %s", line)
	}
}

// TestSafeEncoderKeepsLinesApart: a field of one line must not turn up in the
// next one.
func TestSafeEncoderKeepsLinesApart(t *testing.T) {
	e := newSafeEncoder(t, "llm_safe")
	for _, field := range []zap.Field{zap.String("first", "1"), zap.Int("second", 2)} {
		out, err := e.EncodeEntry(zapcore.Entry{}, []zap.Field{field})
		if err != nil {
			t.Fatal(err)
		}
		if field.Key == "second" && strings.Contains(out.String(), "first") {
			t.Errorf("the second line holds the first one's field: %s", out)
		}
	}
}

func TestSafeEncoderKeepsWhatIsHarmless(t *testing.T) {
	e := newSafeEncoder(t, "llm_safe")
	out, err := e.EncodeEntry(zapcore.Entry{Message: "request"}, []zap.Field{
		zap.String("tier", "free"), zap.String("model", "task-qwen3-32b"), zap.Int("max_tokens", 5), zap.Duration("took", time.Second),
		zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: http.Header{"Content-Type": {"text/event-stream"}}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"tier":"free"`, `"model":"task-qwen3-32b"`, `"max_tokens":5`, `"took":1`, `"Content-Type":["text/event-stream"]`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lost %s of %s", want, out)
		}
	}
}

func TestSafeEncoderRefusesWords(t *testing.T) {
	for _, options := range []string{"llm_safe please", "llm_safe {\n\tkeep_authorization yes\n}"} {
		tokens, err := caddyfile.Tokenize([]byte(options), "Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		if err := new(SafeEncoder).UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err == nil {
			t.Errorf("%q is accepted", options)
		}
	}
}
