//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// reloadFor is how long the gateway is reloaded every second. Default: 30 s;
// RELOAD_SECONDS says otherwise.
func reloadFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("RELOAD_SECONDS")
	if text == "" {
		return 30 * time.Second
	}
	seconds, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("RELOAD_SECONDS: %v", err)
	}
	return time.Duration(seconds) * time.Second
}

const (
	openStreams = 50
	wordGap     = 250 * time.Millisecond
)

// A reload every second, forced, under open streams and steady requests of both
// SDKs: nothing is cut, nothing fails, and every answer is counted once.
func TestReloadUnderLoad(t *testing.T) {
	npm(t)
	s := startSite(t, map[string]string{"streams": "busy", "anthropic": "busy", "openai": "busy"}, `
			tier busy {
				limit 100000 requests per day
				in_flight unlimited
				allow internal
			}`)
	length := reloadFor(t)
	// The streams outlast the last reload.
	words := int((length + 2*time.Second) / wordGap)
	prompt := fmt.Sprintf("[[sim gap=%s n=%d]]", wordGap, words)

	var wg sync.WaitGroup
	cut := make([]error, openStreams)
	for i := range cut {
		wg.Go(func() { cut[i] = readStream(t.Context(), s.URL, s.token["streams"], prompt, words) })
	}
	counts := make(map[string]*steady)
	for _, sdk := range []string{"anthropic", "openai"} {
		counts[sdk] = new(steady)
		cmd := nodeCommand(t, "steady.mjs", "SDK="+sdk, "BASE="+s.URL, "TOKEN="+s.token[sdk], fmt.Sprintf("SECONDS=%d", length/time.Second+1))
		wg.Go(func() {
			text, err := cmd.Output()
			counts[sdk].err = errors.Join(err, json.Unmarshal(text, counts[sdk]))
		})
	}
	reloads := reloadEverySecond(t, s.Gateway, length)
	wg.Wait()

	if err := errors.Join(cut...); err != nil {
		t.Errorf("of %d streams some were cut: %v", openStreams, err)
	}
	wantUsed(t, s.URL, s.token["streams"], openStreams)
	for sdk, c := range counts {
		t.Logf("%d reloads: %d requests of the %s SDK, %d failed", reloads, c.OK, sdk, len(c.Failed))
		if c.err != nil || len(c.Failed) > 0 || c.OK < int(length/time.Second) {
			t.Errorf("%s: %d answered, failed: %v, %v", sdk, c.OK, c.Failed, c.err)
		}
		wantUsed(t, s.URL, s.token[sdk], int64(c.OK))
	}
	if want := int(length / time.Second / 2); reloads < want {
		t.Errorf("only %d reloads, want %d at least", reloads, want)
	}
}

// steady is what a steady client counted.
type steady struct {
	OK     int
	Failed []string

	err error
}

// reloadEverySecond reloads until length has passed and returns how often.
func reloadEverySecond(t *testing.T, g *harness.Gateway, length time.Duration) int {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	n := 0
	for end := time.Now().Add(length); time.Now().Before(end); n++ {
		<-tick.C
		if err := g.Reload(""); err != nil {
			t.Errorf("reload %d: %v", n, err)
		}
	}
	return n
}

// readStream reads one streamed answer to its end and counts its words.
func readStream(ctx context.Context, url, token, prompt string, words int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/messages", strings.NewReader(messages(prompt, true)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	got, stopped := 0, false
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		got += strings.Count(lines.Text(), `"text_delta"`)
		stopped = stopped || strings.Contains(lines.Text(), `"message_stop"`)
	}
	if lines.Err() != nil || !stopped || got != words {
		return fmt.Errorf("%s: %d of %d words, ended properly: %t, %w", res.Status, got, words, stopped, lines.Err())
	}
	return nil
}
