//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/redistest"
	"github.com/openova-io/llm-gateway/internal/vllmsim"
	"github.com/openova-io/llm-gateway/test/harness"
)

// site is a gateway with embedded users and counters in front of a simulated
// model.
type site struct {
	*harness.Gateway
	model *harness.Recorder
	token map[string]string // by person
	block string            // of the Caddyfile
}

// startSite starts a gateway for people and their tiers. Tiers are lines of the
// block; empty means the mission's three.
func startSite(t *testing.T, people map[string]string, tiers string, configure ...func(*harness.Site)) *site {
	t.Helper()
	s := &site{model: harness.StartModel(t, vllmsim.Options{Gap: time.Millisecond})}
	users := harness.WriteUsers(t, people)
	s.token = users.Token
	dir := harness.Dir(t)
	config := harness.Site{Dir: dir, Block: fmt.Sprintf(`
			auth users %s
			quota embedded %s
			backend internal vllm %s/v1 {
				models qwen3-32b
				native_messages
			}
%s`, users.Path, filepath.Join(dir, "quota"), s.model.URL, tiers)}
	for _, c := range configure {
		c(&config)
	}
	s.block = config.Block
	s.Gateway = harness.StartGateway(t, config)
	return s
}

// inRedis has a site count in a redis-server instead of its own directory.
func inRedis(t *testing.T) func(*harness.Site) {
	t.Helper()
	server := redistest.Start(t)
	return func(c *harness.Site) {
		c.Block = embeddedQuota.ReplaceAllString(c.Block, "quota redis "+server.URL)
	}
}

var embeddedQuota = regexp.MustCompile(`quota embedded \S+`)

// people has one person on each of the mission's plans.
func people() map[string]string {
	return map[string]string{"free": "free", "pro": "pro", "enterprise": "enterprise"}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// call makes a request with a token; an empty one sends none.
func call(t *testing.T, method, url, token, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		t.Fatalf("reading the answer of %s %s: %v", method, url, err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// ask asks the model in the Anthropic dialect.
func ask(t *testing.T, url, token, text string) answer {
	t.Helper()
	return call(t, http.MethodPost, url+"/v1/messages", token, messages(text, false))
}

// messages is the body of a Messages request.
func messages(text string, stream bool) string {
	return fmt.Sprintf(`{"model":"qwen3-32b","max_tokens":4000,"stream":%t,"messages":[{"role":"user","content":%q}]}`, stream, text)
}

// quotaOf is what GET /quota says about the caller.
type quotaOf struct {
	Tier    string
	Windows []struct {
		Limit          *int64
		Used, Reserved int64
	}
}

func (q *quotaOf) used() int64 { return q.Windows[0].Used + q.Windows[0].Reserved }

func quota(t *testing.T, url, token string) *quotaOf {
	t.Helper()
	a := call(t, http.MethodGet, url+"/quota", token, "")
	q := new(quotaOf)
	if err := json.Unmarshal([]byte(a.body), q); err != nil || a.status != http.StatusOK || len(q.Windows) == 0 {
		t.Fatalf("GET /quota = %d %s, %v", a.status, a.body, err)
	}
	return q
}

// wantUsed fails the test unless the caller's count is as given. Settling runs
// beside the answer, but a reservation counts from the start.
func wantUsed(t *testing.T, url, token string, want int64) {
	t.Helper()
	if got := quota(t, url, token).used(); got != want {
		t.Errorf("/quota counts %d requests, want %d", got, want)
	}
}

// spend uses up n requests.
func spend(t *testing.T, url, token string, n int) {
	t.Helper()
	for range n {
		if a := ask(t, url, token, "[[sim say ok]]"); a.status != http.StatusOK {
			t.Fatalf("spending: %d %s", a.status, a.body)
		}
	}
}

// firstDelta asks for a stream and returns once its first text has come.
func firstDelta(url, token string) error {
	req, err := http.NewRequest(http.MethodPost, url+"/v1/messages", strings.NewReader(messages("[[sim n=5]]", true)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), "text_delta") {
			return nil
		}
	}
	return fmt.Errorf("%s and no text", res.Status)
}
