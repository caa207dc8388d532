//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/vllmsim"
	"github.com/openova-io/llm-gateway/test/harness"
)

// dev is a running `caddy llm-gateway dev`.
type dev struct {
	*harness.Process
	url   string
	token map[string]string // by plan
}

// startDev starts dev on a directory and waits for the first streamed answer;
// took is the time from the command to there.
func startDev(t *testing.T, address, dir string) (d *dev, took time.Duration) {
	t.Helper()
	return startDevOn(t, address, dir, nil)
}

// startDevOn is startDev with further arguments and environment.
func startDevOn(t *testing.T, address, dir string, args []string, env ...string) (d *dev, took time.Duration) {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), append([]string{"llm-gateway", "dev", "--listen", address, "--data", dir}, args...)...)
	cmd.Env = append(harness.CleanEnv(), env...)
	start := time.Now()
	d = &dev{Process: harness.Start(t, cmd), url: "http://" + address}
	harness.Poll(t, 30*time.Second, "the first answer of dev", func() error {
		text, err := os.ReadFile(filepath.Join(dir, "tokens.json"))
		if err != nil {
			return err
		}
		d.token = nil
		if err := json.Unmarshal(text, &d.token); err != nil {
			return err
		}
		return firstDelta(d.url, d.token["enterprise"])
	})
	took = time.Since(start)
	harness.Poll(t, 10*time.Second, "what dev prints", func() error {
		if d.Tail(1) == "" {
			return errors.New("nothing yet")
		}
		return nil
	})
	return d, took
}

func TestDevStartsFromNothing(t *testing.T) {
	address, dir := harness.Address(t), filepath.Join(harness.Dir(t), "data")
	first, took := startDev(t, address, dir)
	t.Logf("dev: %.2f s from the command to the first streamed text", took.Seconds())

	info, err := os.Stat(filepath.Join(dir, "tokens.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("tokens.json: %v, %v; want mode 0600", info.Mode(), err)
	}
	spend(t, first.url, first.token["free"], 3)
	if a := call(t, "GET", first.url+"/metrics", "", ""); !strings.Contains(a.body, `gateway_requests_total{tier="free"} 3`) {
		t.Errorf("/metrics of dev does not count three requests of free:\n%s", grep(a.body, "gateway_requests_total"))
	}
	for plan, token := range first.token {
		if !strings.Contains(first.Tail(100), token) {
			t.Errorf("dev did not print the token of %s", plan)
		}
	}
	first.Stop()

	second, took := startDev(t, address, dir)
	t.Logf("dev: %.2f s at the second start", took.Seconds())
	for plan, token := range first.token {
		if second.token[plan] != token {
			t.Errorf("the second start made another token for %s", plan)
		}
	}
	wantUsed(t, second.url, second.token["free"], 3)
}

func TestDevPrintsItsConfig(t *testing.T) {
	dir := harness.Dir(t)
	config, err := exec.Command(harness.Binary(t), "llm-gateway", "dev", "--print-config", "--data", dir).Output()
	if err != nil {
		t.Fatalf("dev --print-config: %v", err)
	}
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	formatted, err := exec.Command(harness.Binary(t), "fmt", path).Output()
	if !bytes.Equal(formatted, config) {
		t.Errorf("caddy fmt changes it (%v):\n%s\nbecomes\n%s", err, config, formatted)
	}
	out, err := exec.Command(harness.Binary(t), "validate", "--config", path, "--adapter", "caddyfile").CombinedOutput()
	if err != nil {
		t.Errorf("caddy validate: %v\n%s", err, out)
	}
}

// Two of dev must not share an address or a directory: each would know one half
// of the tokens.
func TestDevRefusesWhatWouldNotWork(t *testing.T) {
	address, dir := harness.Address(t), harness.Dir(t)
	startDev(t, address, dir)
	for _, tc := range []struct{ name, listen, data, says string }{
		{"the same address", address, harness.Dir(t), "is taken"},
		{"the same directory", harness.Address(t), dir, "another dev is running"},
		{"a directory too deep for a socket", harness.Address(t), filepath.Join(harness.Dir(t), strings.Repeat("deep", 30)), "shorter --data"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := exec.Command(harness.Binary(t), "llm-gateway", "dev", "--listen", tc.listen, "--data", tc.data)
			cmd.Env = harness.CleanEnv()
			p := harness.Start(t, cmd)
			if status, err := p.Wait(20 * time.Second); status != 1 || err != nil || !strings.Contains(p.Tail(5), tc.says) {
				t.Errorf("exit status %d, %v; want 1 and %q\n%s", status, err, tc.says, p.Tail(5))
			}
		})
	}
}

// A model of one's own answers for every name on every plan.
func TestDevWithARealModel(t *testing.T) {
	const name = "llama-9b"
	model := harness.StartModel(t, vllmsim.Options{Models: []string{name}})
	for _, tc := range []struct {
		name string
		args []string
		env  string
	}{
		{"--upstream", []string{"--upstream", model.URL, "--json"}, ""},
		{"INTERNAL_LLM_URL", []string{"--json"}, "INTERNAL_LLM_URL=" + model.URL + "/v1"},
		{"OLLAMA_HOST", []string{"--json"}, "OLLAMA_HOST=" + strings.TrimPrefix(model.URL, "http://")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, _ := startDevOn(t, harness.Address(t), harness.Dir(t), tc.args, tc.env)
			for plan, token := range d.token {
				body := `{"model":"claude-opus-5-5","max_tokens":50,"messages":[{"role":"user","content":"[[sim say real]]"}]}`
				a := call(t, http.MethodPost, d.url+"/v1/messages", token, body)
				if a.status != http.StatusOK || a.header.Get("X-Llm-Gateway-Model") != name || !strings.Contains(a.body, "real") {
					t.Errorf("%s: %d by %q, %s; want an answer of %s", plan, a.status, a.header.Get("X-Llm-Gateway-Model"), a.body, name)
				}
			}
			var printed struct {
				Address, Backend string
				Simulated        bool
				Tokens           map[string]string
			}
			if err := json.Unmarshal([]byte(d.Tail(1)), &printed); err != nil {
				t.Fatalf("dev --json printed %q: %v", d.Tail(1), err)
			}
			if printed.Address != d.url || printed.Simulated || !strings.Contains(printed.Backend, name) || printed.Tokens["pro"] != d.token["pro"] {
				t.Errorf("dev --json printed %+v", printed)
			}
		})
	}
}

// Every line that dev prints to be pasted into a shell works there.
func TestDevPrintsLinesThatWork(t *testing.T) {
	harness.Need(t, "curl")
	d, _ := startDev(t, harness.Address(t), harness.Dir(t))
	for name, want := range map[string]string{"curl": "simulated", "quota": "pro "} {
		line := regexp.MustCompile(`(?m)^  ` + name + ` +(curl .*)$`).FindStringSubmatch(d.Tail(100))
		if line == nil {
			t.Fatalf("dev printed no line %s:\n%s", name, d.Tail(100))
		}
		out, err := exec.Command("sh", "-c", strings.Replace(line[1], "curl", "curl -sS", 1)).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s\nanswers %q, %v; want %q in it", line[1], out, err, want)
		}
	}
	if grep(d.Tail(100), "?") != grep(d.Tail(100), "?format=text'") {
		t.Error("a line holds a question mark outside quotes, which zsh takes for a pattern")
	}
}

// The demo tokens must not work from other machines by accident.
func TestDevStaysOnThisMachine(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "not an address"} {
		t.Run(listen, func(t *testing.T) {
			cmd := exec.Command(harness.Binary(t), "llm-gateway", "dev", "--listen", listen, "--data", t.TempDir())
			p := harness.Start(t, cmd)
			if status, err := p.Wait(20 * time.Second); status != 2 || err != nil {
				t.Errorf("exit status %d, %v; want 2\n%s", status, err, p.Tail(5))
			}
		})
	}
}

// grep returns the lines of text that hold a word.
func grep(text, word string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}
