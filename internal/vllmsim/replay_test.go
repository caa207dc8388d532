package vllmsim

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replay says how a recording is replayed, or why it cannot be.
type replay struct {
	name string
	skip string // why the simulator does not cover it

	opts     Options
	model    tinyModel
	cutTexts bool // the texts differ: the recording was shortened, or tokens end elsewhere
}

// The servers behind the recordings.
var (
	full  = Options{MaxModelLen: 8192, PromptTokensDetails: true, RequestIDHeaders: true, TokenBytes: 1}
	small = Options{MaxModelLen: 1024, PromptTokensDetails: true, RequestIDHeaders: true, TokenBytes: 1}
	bare  = Options{MaxModelLen: 8192, APIKey: "sk-backend-secret", NoReasoningParser: true, NoToolParser: true, TokenBytes: 1}
)

// special lists the recordings that are not replayed against the server with
// all flags as they stand.
var special = []replay{
	{name: "21-chat-logprobs-stream", skip: "log probabilities are not simulated"},
	{name: "C6-no-reasoning-parser-stream", skip: "--enable-per-request-metrics is not simulated"},
	{name: "C7-no-prefix-cache", skip: "--enable-per-request-metrics is not simulated"},
	{name: "C8-queued-behind-another-stream", skip: "--sse-keep-alive-interval is not simulated"},
	{name: "A1-client-disconnect-stream", skip: "the recording ends where the client left: TestClientLeaves"},
	{name: "C9-err-503-queue-full", skip: "needs a full queue: TestQueueLimit compares with it"},

	{name: "34-chat-reasoning-cut-by-length", model: tinyModel{size: 1}},
	{name: "52-chat-tool-cut-by-length-stream", model: tinyModel{size: 2}},
	{name: "62c-max-completion-tokens-clamped", model: tinyModel{size: 2}},
	{name: "66-bad-tool-schema", cutTexts: true},

	{name: "60b-err-context-overflow-by-characters", opts: small},
	{name: "60c-err-context-exactly-full", opts: small},
	{name: "64b-err-body-not-utf8", opts: small},
	{name: "66b-err-bad-schema", opts: small},
	{name: "67b-err-file-part", opts: small},
	{name: "93b-msg-err-budget", opts: small},

	{name: "B1-sigterm-mid-stream-abort", model: tinyModel{abort: true, after: 10}, cutTexts: true},
	{name: "B2-sigterm-mid-stream-drain", cutTexts: true},
	{name: "B3-engine-killed-mid-stream", opts: bare, model: tinyModel{size: 1, fault: ErrEngineDead, after: 10}, cutTexts: true},
	{name: "B4-msg-engine-killed-mid-stream", model: tinyModel{size: 1, fault: ErrEngineDead, after: 10}},
	{name: "B5-draining-new-stream", opts: bare, model: tinyModel{refusal: &Refusal{500, "cannot schedule new futures after shutdown"}}},
	{name: "C1-err-401-chat", opts: bare},
	{name: "C10-open-invocations", opts: bare, cutTexts: true},
	{name: "C2-err-401-messages", opts: bare},
	{name: "C3-err-tool-auto-without-flags", opts: bare},
	{name: "C4-msg-queued", opts: bare, model: tinyModel{size: 1}},
	{name: "C5-tool-required-without-parser", opts: bare},
}

// TestRecordings asks the simulator what a real server was asked and compares
// the answers.
func TestRecordings(t *testing.T) {
	files, err := os.ReadDir(recordings)
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	shapes := recordedShapes(t)
	skipped := 0
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".json")
		c := replay{name: name}
		if i := slices.IndexFunc(special, func(r replay) bool { return r.name == name }); i >= 0 {
			c = special[i]
		}
		if c.opts.MaxModelLen == 0 {
			c.opts = full
		}
		c.opts.Engine = c.model
		if c.skip != "" {
			skipped++
			t.Logf("not covered: %s: %s", name, c.skip)
			continue
		}
		t.Run(name, func(t *testing.T) { c.run(t, shapes) })
	}
	t.Logf("%d of %d recordings replayed", len(files)-skipped, len(files))
}

func (c replay) run(t *testing.T, shapes map[string]bool) {
	rec := readRecording(t, c.name)
	want := rec.answer()
	got := ask(t, New(c.opts), rec.Request.Method, rec.Request.Path, rec.Request.Headers, rec.body(c.name))
	if got.status != want.status {
		t.Fatalf("status %d, want %d; body %s", got.status, want.status, got.body)
	}
	if d := cmp.Diff(want.headers(), got.headers()); d != "" {
		t.Errorf("headers (-recorded +simulated):\n%s", d)
	}
	switch {
	case want.events == nil && want.status >= 400:
		if got.body != want.body {
			t.Errorf("error body\n%s\nwant\n%s", got.body, want.body)
		}
		return
	case want.events == nil && c.cutTexts:
		if a, b := shapeOf(t, "data: "+want.body+"\n\n"), shapeOf(t, "data: "+got.body+"\n\n"); a != b {
			t.Errorf("shape\n%s\nwant\n%s", b, a)
		}
		return
	case want.events == nil:
		if d := cmp.Diff(redacted(want.body), redacted(got.body)); d != "" {
			t.Errorf("body (-recorded +simulated):\n%s", d)
		}
		return
	}
	native := strings.HasPrefix(rec.Request.Path, "/v1/messages")
	a, b := told(t, want.events, native), told(t, got.events, native)
	if c.cutTexts {
		a, b = withoutTexts(a), withoutTexts(b)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("events (-recorded +simulated):\n%s", d)
	}
	for _, e := range got.events {
		for _, s := range shapesOf(t, e) {
			if !shapes[s] {
				t.Errorf("no recording holds an event of this shape:\n%s\n%s", s, e)
			}
		}
	}
}

func withoutTexts(lines []string) []string {
	out := slices.Clone(lines)
	for i, l := range out {
		for _, kind := range []string{"content ", "reasoning "} {
			if strings.HasPrefix(l, kind) {
				out[i] = kind
			}
		}
	}
	return out
}

// recordedShapes are the shapes of all events that a real server sent.
func recordedShapes(t *testing.T) map[string]bool {
	t.Helper()
	files, err := os.ReadDir(recordings)
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string]bool{}
	for _, f := range files {
		for _, e := range readRecording(t, strings.TrimSuffix(f.Name(), ".json")).Response.Events {
			if !strings.HasPrefix(e.Raw, ":") {
				for _, s := range shapesOf(t, e.Raw) {
					shapes[s] = true
				}
			}
		}
	}
	return shapes
}

// A recording that is listed but gone would hide that it is not replayed.
func TestSpecialRecordingsExist(t *testing.T) {
	for _, c := range special {
		readRecording(t, c.name)
	}
}
