package llmgateway

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// platformEnv is what the platform's Deployment sets; the optional keys are not
// set at all. Nothing listens at these addresses.
func platformEnv(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"INTERNAL_LLM_URL": "http://127.0.0.1:9/v1",
		"QUOTA_REDIS_URL":  "redis://127.0.0.1:9",
		"KEYCLOAK_URL":     "http://127.0.0.1:9/realms/ai-hub",
		"AUTH_PROVIDER":    "keycloak",
	} {
		t.Setenv(name, value)
	}
	for _, name := range []string{"CLAUDE_API_KEY", "OPENAI_API_KEY"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
}

func readExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// adaptExample adapts a Caddyfile that must give no warning.
func adaptExample(t *testing.T, text string) []byte {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Errorf("warning: %s", w)
	}
	return adapted
}

func validate(t *testing.T, adapted []byte) {
	t.Helper()
	config := new(caddy.Config)
	if err := json.Unmarshal(adapted, config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(config); err != nil {
		t.Errorf("caddy validate: %v", err)
	}
}

func TestExampleIsValidWithNothingListening(t *testing.T) {
	platformEnv(t)
	validate(t, adaptExample(t, readExample(t)))
}

// TestExampleKeepsKeysOut: a key reaches the handlers, not the configuration
// that the admin socket shows.
func TestExampleKeepsKeysOut(t *testing.T) {
	platformEnv(t)
	t.Setenv("CLAUDE_API_KEY", canary)
	t.Setenv("OPENAI_API_KEY", canary)
	adapted := adaptExample(t, readExample(t))
	if strings.Contains(string(adapted), canary) {
		t.Errorf("the configuration holds a key: %s", adapted)
	}
	validate(t, adapted)
}

func TestExampleNeedsNoProviderName(t *testing.T) {
	platformEnv(t)
	if err := os.Unsetenv("AUTH_PROVIDER"); err != nil {
		t.Fatal(err)
	}
	validate(t, adaptExample(t, readExample(t)))
}

func TestExampleIsFormatted(t *testing.T) {
	text := readExample(t)
	if string(caddyfile.Format([]byte(text))) != text {
		t.Error("caddy fmt would change Caddyfile.example")
	}
}

// TestExampleOfEverySetting switches on what the example shows switched off:
// whoever deletes a # must get a file that loads.
func TestExampleOfEverySetting(t *testing.T) {
	platformEnv(t)
	off := regexp.MustCompile(`(?m)^(\t*)#([^ \n].*)$`)
	text := readExample(t)
	if n := len(off.FindAllString(text, -1)); n < 30 {
		t.Fatalf("only %d settings are switched off, so this test reads them wrong", n)
	}
	dir := t.TempDir()
	for path, content := range map[string]string{"users.json": `{"users":[]}`, "ca.pem": certificate(t)} {
		file := filepath.Join(dir, path)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "/etc/llm-gateway/"+path, file)
	}
	text = strings.ReplaceAll(text, "/run/secrets/valkey", filepath.Join(dir, "users.json"))
	text = off.ReplaceAllString(text, "$1$2")
	validate(t, adaptExample(t, string(caddyfile.Format([]byte(text)))))
}

// TestExampleStarts runs the example: only its addresses are others, because
// tests share the machine.
func TestExampleStarts(t *testing.T) {
	platformEnv(t)
	gateway, scrape := loopback(t), loopback(t)
	text := readExample(t)
	for from, to := range map[string]string{
		"admin unix//run/llm-gateway/admin.sock|0600": "admin off\n\tdefault_bind 127.0.0.1\n\tstorage file_system " + t.TempDir(),
		"http://:8000 {":     "http://" + gateway + " {",
		"http://:9090 {":     "http://" + scrape + " {",
		"shutdown_delay 10s": "shutdown_delay 0s",
	} {
		if strings.Count(text, from) != 1 {
			t.Fatalf("%q stands %d times in the example", from, strings.Count(text, from))
		}
		text = strings.Replace(text, from, to, 1)
	}
	if err := caddy.Load(adaptExample(t, text), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, tc := range []struct {
		url    string
		status int
		body   string
	}{
		{url: "http://" + gateway + "/healthz", status: http.StatusOK},
		{url: "http://" + gateway + "/v1/models", status: http.StatusUnauthorized},
		{url: "http://" + gateway + "/v1/unknown", status: http.StatusNotFound},
		{url: "http://" + scrape + "/metrics", status: http.StatusOK, body: "gateway_request_duration_seconds"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tc.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != tc.status || !strings.Contains(string(body), tc.body) {
			t.Errorf("GET %s = %d, want %d with %q in: %.500s", tc.url, response.StatusCode, tc.status, tc.body, body)
		}
	}
}

// certificate returns some certificate as PEM.
func certificate(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// loopback returns an address on which nothing listens.
func loopback(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
