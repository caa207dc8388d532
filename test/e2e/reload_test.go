//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// reloadFor is how long the gateway is reloaded every second: RELOAD_SECONDS,
// else 30 s, 15 s where CI is true.
func reloadFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("RELOAD_SECONDS")
	switch {
	case text == "" && os.Getenv("CI") == "true":
		return 15 * time.Second
	case text == "":
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
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		testReload(t)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		testReload(t, inRedis(t))
	})
}

func testReload(t *testing.T, configure ...func(*harness.Site)) {
	s := startSite(t, map[string]string{"streams": "busy", "anthropic": "busy", "openai": "busy"}, `
			tier busy {
				limit 100000 requests per day
				in_flight unlimited
				allow internal
			}`, configure...)
	length := reloadFor(t)
	before := goroutines(t, s.URL)
	// The streams outlast the last reload.
	words := int((length + 2*time.Second) / wordGap)
	prompt := fmt.Sprintf("[[sim gap=%s n=%d]]", wordGap, words)

	var wg sync.WaitGroup
	cut := make([]error, openStreams)
	for i := range cut {
		wg.Go(func() { cut[i] = readStream(t.Context(), s.URL, s.token["streams"], prompt, words) })
		time.Sleep(10 * time.Millisecond) // people do not come all at once
	}
	counts := make(map[string]*steady)
	for _, sdk := range []string{"anthropic", "openai"} {
		counts[sdk] = new(steady)
		cmd := nodeCommand(t, "steady.mjs", "SDK="+sdk, "BASE="+s.URL, "TOKEN="+s.token[sdk], fmt.Sprintf("SECONDS=%d", length/time.Second+1))
		wg.Go(func() { counts[sdk].run(cmd) })
	}
	reloads := reloadEverySecond(t, s, length)
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
	// A configuration that is gone leaves nothing behind. Connections of the
	// clients that have ended may take a moment.
	harness.Poll(t, 15*time.Second, "goroutines of earlier configurations to end", func() error {
		if now := goroutines(t, s.URL); now > before+20 {
			return fmt.Errorf("%d goroutines, %d before the reloads", now, before)
		}
		return nil
	})
}

func goroutines(t *testing.T, url string) int {
	t.Helper()
	_, text, _ := strings.Cut(call(t, http.MethodGet, url+"/metrics", "", "").body, "\ngo_goroutines ")
	line, _, _ := strings.Cut(text, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("go_goroutines: %v", err)
	}
	return n
}

// steady is what a steady client counted.
type steady struct {
	OK     int
	Failed []string

	err error
}

// run runs a steady client to its end.
func (c *steady) run(cmd *exec.Cmd) {
	text, err := cmd.Output()
	c.err = errors.Join(err, json.Unmarshal(text, c))
}

// reloadEverySecond reloads until length has passed and returns how often. Every
// other configuration differs, so that handlers are made anew.
func reloadEverySecond(t *testing.T, s *site, length time.Duration) int {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	blocks := []string{s.block + "\n\t\t\tmax_body 31MiB", s.block}
	n := 0
	for end := time.Now().Add(length); time.Now().Before(end); n++ {
		<-tick.C
		if err := s.Reload(blocks[n%len(blocks)]); err != nil {
			t.Errorf("reload %d: %v", n, err)
		}
	}
	return n
}

// errRefused is a stream that never began.
var errRefused = errors.New("refused")

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
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(res.Body, 4096))
		return fmt.Errorf("%s: %s: %w", res.Status, text, errors.Join(errRefused, err))
	}
	got, stopped := 0, false
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		got += strings.Count(lines.Text(), `"text_delta"`)
		stopped = stopped || strings.Contains(lines.Text(), `"message_stop"`)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("after %d of %d words: %w", got, words, err)
	}
	if !stopped || got != words {
		return fmt.Errorf("%d of %d words, ended properly: %t", got, words, stopped)
	}
	return nil
}
