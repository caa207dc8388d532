package harness

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/internal/vllmsim"
)

// The parts fit together: a gateway on a users file, a simulator behind it and a
// tap in front of it carry a request, survive a reload and a restart.
func TestParts(t *testing.T) {
	model := StartModel(t, vllmsim.Options{})
	people := WriteUsers(t, map[string]string{"ann": "pro"})
	dir := Dir(t)
	g := StartGateway(t, Site{Dir: dir, Block: fmt.Sprintf(`
			auth users %s
			quota embedded %s
			backend internal vllm %s {
				models qwen3-32b
				native_messages
			}`, people.Path, filepath.Join(dir, "quota"), model.URL+"/v1")})
	tap := Tap(t, g.URL)

	ask := func(step string, used int) {
		t.Helper()
		body := strings.NewReader(`{"model":"qwen3-32b","messages":[{"role":"user","content":"[[sim say four]]"}]}`)
		if status, text := call(t, http.MethodPost, tap.URL+"/v1/chat/completions", people.Token["ann"], body); status != 200 || !strings.Contains(text, "four") {
			t.Fatalf("%s: %d %s, want an answer", step, status, text)
		}
		_, text := call(t, http.MethodGet, g.URL+"/quota?format=text", people.Token["ann"], nil)
		if want := fmt.Sprintf("pro %d/1000", used); !strings.HasPrefix(text, want) {
			t.Errorf("%s: quota says %q, want %q", step, text, want)
		}
	}
	ask("at first", 1)
	if err := g.Reload(""); err != nil {
		t.Fatal(err)
	}
	ask("after a reload", 2)
	g = g.Restart()
	ask("after a restart", 3)

	if n := len(tap.Seen(http.MethodPost, "/v1/chat/completions")); n != 3 {
		t.Errorf("the tap saw %d requests, want 3", n)
	}
	if n := len(model.Seen(http.MethodPost, "/v1/chat/completions")); n != 3 {
		t.Errorf("the model saw %d requests, want 3", n)
	}
	if log, err := os.ReadFile(g.Requests); err != nil || strings.Count(string(log), "\n") < 3 {
		t.Errorf("the request log holds %q, %v; want a line a request", log, err)
	}
}

func call(t *testing.T, method, url, token string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}
