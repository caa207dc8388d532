//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// claude is a headless run of Claude Code in a directory of its own.
type claude struct {
	dir    string // its working directory
	result string // what it said
	failed bool
	took   time.Duration
}

// claudeEnv is the environment of a run: a throw-away home and no talk with
// other hosts.
func claudeEnv(t *testing.T, env ...string) []string {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".claude.json"), []byte(`{"hasCompletedOnboarding":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=xterm-256color", "IS_SANDBOX=1",
		"DISABLE_AUTOUPDATER=1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
	}, env...)
}

func claudePath(t *testing.T) string {
	t.Helper()
	return filepath.Join(npm(t), "node_modules", "@anthropic-ai", "claude-code", "cli-wrapper.cjs")
}

// runClaude gives Claude Code one prompt; files are in its directory beforehand.
func runClaude(t *testing.T, prompt string, files map[string]string, env ...string) *claude {
	t.Helper()
	c := &claude{dir: t.TempDir()}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", claudePath(t), "-p", prompt, "--allowedTools", "Read", "Edit", "Write", "--output-format", "json")
	cmd.Dir, cmd.Env = c.dir, claudeEnv(t, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	c.took = time.Since(start)
	var said struct {
		IsError bool `json:"is_error"`
		Result  string
	}
	if json.Unmarshal(stdout.Bytes(), &said) != nil {
		t.Fatalf("claude -p: %v after %s\nstdout: %s\nstderr: %s", err, c.took, &stdout, &stderr)
	}
	c.result, c.failed = said.Result, said.IsError
	return c
}

// wantEdit has Claude Code edit a file: two tool calls and a closing word.
func wantEdit(t *testing.T, env ...string) *claude {
	t.Helper()
	c := runClaude(t, "In notes.txt replace red with green", map[string]string{"notes.txt": "red apples\n"}, env...)
	text, err := os.ReadFile(filepath.Join(c.dir, "notes.txt"))
	if err != nil || string(text) != "green apples\n" {
		t.Errorf("the file holds %q, %v after the run; want green apples\nit said: %s", text, err, c.result)
	}
	if c.failed {
		t.Errorf("claude -p failed: %s", c.result)
	}
	return c
}

func TestClaudeCodeThroughDev(t *testing.T) {
	npm(t)
	d, _ := startDev(t, harness.Address(t), harness.Dir(t))
	tap := harness.Tap(t, d.url)
	c := wantEdit(t, "ANTHROPIC_BASE_URL="+tap.URL, "ANTHROPIC_AUTH_TOKEN="+d.token["pro"])
	t.Logf("claude -p edited a file through dev in %.1f s with %d requests", c.took.Seconds(), len(tap.Seen(http.MethodPost, "")))

	c = runClaude(t, "Create a file made.txt with the text bonjour", nil, "ANTHROPIC_BASE_URL="+d.url, "ANTHROPIC_AUTH_TOKEN="+d.token["free"])
	if text, err := os.ReadFile(filepath.Join(c.dir, "made.txt")); err != nil || string(text) != "bonjour" {
		t.Errorf("the new file holds %q, %v; want bonjour\nit said: %s", text, err, c.result)
	}
	for _, seen := range tap.Seen(http.MethodPost, "") {
		if seen.Status != http.StatusOK {
			t.Errorf("%s %s was answered %d", seen.Method, seen.Path, seen.Status)
		}
	}
	wantUsed(t, d.url, d.token["pro"], int64(len(tap.Seen(http.MethodPost, "/v1/messages"))))
}

func TestClaudeCodeOverHTTPS(t *testing.T) {
	s := startSite(t, people(), "", func(c *harness.Site) {
		_, port, _ := strings.Cut(harness.Address(t), ":")
		c.Address = "https://localhost:" + port
	})
	wantEdit(t, "ANTHROPIC_BASE_URL="+s.URL, "ANTHROPIC_AUTH_TOKEN="+s.token["pro"], "NODE_EXTRA_CA_CERTS="+s.RootCertificate())
}

// The mission's own text points clients at /v1 with ANTHROPIC_API_KEY.
func TestClaudeCodeWithV1AndAPIKey(t *testing.T) {
	s := startSite(t, people(), "")
	tap := harness.Tap(t, s.URL)
	wantEdit(t, "ANTHROPIC_BASE_URL="+tap.URL+"/v1", "ANTHROPIC_API_KEY="+s.token["pro"])
	seen := tap.Seen(http.MethodPost, "/v1/v1/messages")
	if len(seen) == 0 {
		t.Fatal("no request to /v1/v1/messages: the run did not use the base URL with /v1")
	}
	if seen[0].Header.Get("X-Api-Key") == "" || seen[0].Header.Get("Authorization") != "" {
		t.Error("the run did not send the key as x-api-key alone")
	}
}

// A spent quota stops Claude Code with the first refusal, and its text is what
// the person reads.
func TestClaudeCodeMeetsASpentQuota(t *testing.T) {
	npm(t)
	d, _ := startDev(t, harness.Address(t), harness.Dir(t))
	spend(t, d.url, d.token["free"], 10)
	tap := harness.Tap(t, d.url)
	c := runClaude(t, "Say OK", nil, "ANTHROPIC_BASE_URL="+tap.URL, "ANTHROPIC_AUTH_TOKEN="+d.token["free"])
	t.Logf("spent: stopped after %.1f s: %s", c.took.Seconds(), c.result)
	if n := len(tap.Seen(http.MethodPost, "")); n != 1 {
		t.Errorf("%d requests after the quota was spent, want 1", n)
	}
	if !c.failed {
		t.Error("claude -p calls the run a success")
	}
	for _, want := range []string{"10 of 10 requests", "free", "resets ", " UTC"} {
		if !strings.Contains(c.result, want) {
			t.Errorf("it shows %q, which lacks %q", c.result, want)
		}
	}
	// Its own first retry would come 0.7 s later, the last one after 190 s.
	if c.took > 20*time.Second {
		t.Errorf("it took %s to stop", c.took)
	}
	wantUsed(t, d.url, d.token["free"], 10)
}

// What was refused tells Claude Code to stop: one request each, and a text that
// says what to do.
func TestClaudeCodeRefusals(t *testing.T) {
	s := startSite(t, map[string]string{"walled": "walled", "lost": "elsewhere"}, `
			tier walled {
				limit 100 requests per day
				allow internal
			}`)
	for _, tc := range []struct {
		name, token, model string
		requests           int
		says               string
	}{
		{"a token that nobody has", "llmgw_u_none", "qwen3-32b", 1, "401 This token was not issued for this gateway"},
		{"a person without a plan", s.token["lost"], "qwen3-32b", 1, "no plan"},
		// Claude Code words a 404 itself and asks once more.
		{"a model nobody has", s.token["walled"], "claude-opus-5-5", 2, "issue with the selected model"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tap := harness.Tap(t, s.URL)
			c := runClaude(t, "Say OK", nil, "ANTHROPIC_BASE_URL="+tap.URL, "ANTHROPIC_AUTH_TOKEN="+tc.token, "ANTHROPIC_MODEL="+tc.model)
			if n := len(tap.Seen(http.MethodPost, "")); n != tc.requests || !c.failed {
				t.Errorf("%d requests, failed %v; want %d, true", n, c.failed, tc.requests)
			}
			if !strings.Contains(c.result, tc.says) {
				t.Errorf("it shows %q, want %q in it", c.result, tc.says)
			}
		})
	}
	if n := len(s.model.Seen(http.MethodPost, "")); n != 0 {
		t.Errorf("%d refused requests reached the model", n)
	}
}
