package llmgateway

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A reload cuts no stream, loses no charge and resets no counter.
func TestReloadUnderAStream(t *testing.T) {
	g := startGateway(t, "")
	goOn := make(chan struct{})
	g.answer(func(w http.ResponseWriter, _ *http.Request) {
		sseEvents(w, append(streamStart[:2:2], streamText)...)
		<-goOn
		sseEvents(w, streamEnd...)
	})
	res, err := http.DefaultClient.Do(g.request("tiny", http.MethodPost, "/v1/messages", streamBody))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	waitFor := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", want, lines.Err())
	}
	waitFor("hello")
	for range 3 {
		g.load(g.config(g.upstream.URL))
	}
	if used, reserved := g.used("tiny"); used != 0 || reserved != 1 {
		t.Errorf("while the stream runs: used %d, reserved %d, want 0 and 1", used, reserved)
	}
	close(goOn)
	waitFor("message_stop")
	g.wantUsed("tiny", 1)

	g.answer(plainAnswer)
	if res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody); res.StatusCode != 200 {
		t.Errorf("after the reload: %d %s", res.StatusCode, text)
	}
	g.wantUsed("tiny", 2)
}

// A configuration that does not load leaves the running one alone.
func TestRejectedReload(t *testing.T) {
	g := startGateway(t, "")
	broken := strings.Replace(g.config(g.upstream.URL), "quota embedded", "public_url https://x.example\n\t\t\tmax_body 1GB\n\t\t\tbody_budget 1MB\n\t\t\tquota embedded", 1)
	if err := tryLoad(broken); err == nil || !strings.Contains(err.Error(), "body_budget") {
		t.Fatalf("a budget below the largest body was accepted: %v", err)
	}
	if res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody); res.StatusCode != 200 {
		t.Errorf("after a rejected reload: %d %s", res.StatusCode, text)
	}
	g.wantUsed("tiny", 1)
}

// The metrics go on over a reload, and the charges that are open return to 0.
func TestMetricsSurviveReload(t *testing.T) {
	g := startGateway(t, "")
	series := func(prefix string) string {
		_, text := g.do("", http.MethodGet, "/metrics", "")
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, prefix) {
				return strings.TrimSpace(strings.TrimPrefix(line, prefix))
			}
		}
		return ""
	}
	g.do("tiny", http.MethodPost, "/v1/messages", helloBody)
	before := series(`gateway_requests_total{tier="tiny"}`)
	if before == "" {
		t.Fatal("no gateway_requests_total for the tier")
	}
	g.load(strings.Replace(g.config(g.upstream.URL), "admin off", "admin off\n\tgrace_period 1s", 1))
	if after := series(`gateway_requests_total{tier="tiny"}`); after != before {
		t.Errorf("the counter was %s before the reload and is %s after it", before, after)
	}
	for range 100 {
		if series("gateway_charges_open") == "0" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if open := series("gateway_charges_open"); open != "0" {
		t.Errorf("%s charges are open while nothing runs", open)
	}
	for _, want := range []string{
		`gateway_model_routes_total{from="claude-*",to="qwen3-32b"}`, "gateway_request_duration_seconds_count",
		`gateway_quota_used{user="tiny"}`, "gateway_build_info",
	} {
		if series(want) == "" {
			t.Errorf("no series %s", want)
		}
	}
}
