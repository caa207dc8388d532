//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// browser is a headless Chromium whose every request, also to loopback, goes
// through a proxy of the test.
type browser struct {
	proxy string

	mu   sync.Mutex
	urls []string // asked for, in order; CONNECT host for encrypted ones
}

// startBrowser makes a browser that reaches one site only. Its requests carry
// the token, if any, which a command line cannot give Chromium.
func startBrowser(t *testing.T, site, token string) *browser {
	t.Helper()
	harness.Need(t, "chromium")
	b := new(browser)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL = r.In.URL
		if token != "" {
			r.Out.Header.Set("Authorization", "Bearer "+token)
		}
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.urls = append(b.urls, r.Method+" "+r.URL.String())
		b.mu.Unlock()
		if !strings.HasPrefix(r.URL.String(), site+"/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.proxy = server.URL
	return b
}

// run opens a page with further flags and returns what Chromium prints.
func (b *browser) run(t *testing.T, url string, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", append(append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
		"--proxy-server=" + b.proxy, "--proxy-bypass-list=<-loopback>", "--virtual-time-budget=3000",
	}, flags...), url)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium %s: %v\n%s", url, err, &stderr)
	}
	return stdout.String()
}

// dom returns the page as Chromium made it.
func (b *browser) dom(t *testing.T, url string) string {
	t.Helper()
	return b.run(t, url, "--dump-dom")
}

// chromiumsOwn are hosts that Chromium asks by itself whatever it shows.
var chromiumsOwn = regexp.MustCompile(`^[A-Z]+ (http:)?//(update\.googleapis\.com|clients2\.google\.com|accounts\.google\.com)[:/]`)

// foreign returns the requests that the page made to other hosts than site.
func (b *browser) foreign(site string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []string
	for _, u := range b.urls {
		if !strings.HasPrefix(u, "GET "+site+"/") && !chromiumsOwn.MatchString(u) {
			found = append(found, u)
		}
	}
	return found
}

// wantAlone fails the test if the page asked other hosts than site, or would
// have if its content security policy had let it.
func (b *browser) wantAlone(t *testing.T, site, page string) {
	t.Helper()
	if found := b.foreign(site); len(found) > 0 {
		t.Errorf("the page made requests to other hosts: %q", found)
	}
	if found := absolute.FindAllString(page, -1); len(found) > 0 {
		t.Errorf("the page loads from other hosts: %q", found)
	}
}

func (b *browser) asked(url string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.urls, "GET "+url)
}

var (
	absolute  = regexp.MustCompile(`<(link|script|img|iframe)[^>]*(src|href)="([a-z]+:)?//[^>]*>`)
	tags      = regexp.MustCompile(`<[^>]*>`)
	copyBlock = regexp.MustCompile(`(?s)<pre id="claude-code">(.*?)</pre>`)
)

// What a person copies from the start page, pasted into a shell, answers.
func TestStartPageInChromium(t *testing.T) {
	s := startSite(t, people(), "")
	b := startBrowser(t, s.URL, "")
	page := b.dom(t, s.URL+"/")
	b.wantAlone(t, s.URL, page)
	if !b.asked(s.URL + "/assets/style.css") {
		t.Error("the browser did not load the style sheet")
	}
	for _, want := range []string{"10 requests a day", "unlimited requests", s.URL + "/v1"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	block := copyBlock.FindStringSubmatch(page)
	if block == nil {
		t.Fatalf("the page has no block to copy:\n%s", page)
	}
	lines := html.UnescapeString(tags.ReplaceAllString(block[1], ""))
	if !strings.Contains(lines, "ANTHROPIC_BASE_URL="+s.URL+"\n") {
		t.Fatalf("the block does not hold the address %s:\n%s", s.URL, lines)
	}
	if said := paste(t, lines, s.token["pro"]); !strings.Contains(said, "simulated") {
		t.Errorf("the pasted block answered %q", said)
	}
	wantUsed(t, s.URL, s.token["pro"], 1)
}

// paste runs the block in a shell, with a token in the place that says so.
func paste(t *testing.T, block, token string) string {
	t.Helper()
	script := strings.Replace(block, "your token", token, 1) + " -p 'Say OK' </dev/null"
	bin := t.TempDir()
	launcher := "#!/bin/sh\nexec node '" + claudePath(t) + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "claude"), []byte(launcher), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(claudeEnv(t, "ANTHROPIC_API_KEY=not-this-one"), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the pasted block failed: %v", err)
	}
	return string(out)
}

func TestQuotaPageInChromium(t *testing.T) {
	s := startSite(t, people(), "")
	spend(t, s.URL, s.token["free"], 3)
	b := startBrowser(t, s.URL, s.token["free"])
	page := b.dom(t, s.URL+"/quota")
	for _, want := range []string{"free", "3 of 10", "qwen3-32b", "<time"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	b.wantAlone(t, s.URL, page)
	wantUsed(t, s.URL, s.token["free"], 3)

	nobody := startBrowser(t, s.URL, "")
	if page := nobody.dom(t, s.URL+"/quota"); !strings.Contains(page, "No token in the request") || !strings.Contains(page, "<h1") {
		t.Errorf("without a token a browser gets no page that says so:\n%s", page)
	}
}

// Both colour schemes are drawn; SHOTS keeps the pictures there to be looked at.
func TestPagesAreDrawn(t *testing.T) {
	s := startSite(t, people(), "")
	spend(t, s.URL, s.token["free"], 3)
	b := startBrowser(t, s.URL, s.token["free"])
	dir := os.Getenv("SHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	for name, path := range map[string]string{"start": "/", "quota": "/quota"} {
		var sizes []int
		for scheme, flag := range map[string]string{"light": "1", "dark": "0"} {
			shot := filepath.Join(dir, name+"-"+scheme+".png")
			b.run(t, s.URL+path, "--screenshot="+shot, "--window-size=900,1400", "--blink-settings=preferredColorScheme="+flag)
			text, err := os.ReadFile(shot)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(text))
		}
		if sizes[0] < 10_000 || sizes[1] < 10_000 {
			t.Errorf("%s: pictures of %v bytes are blank", name, sizes)
		}
	}
}
