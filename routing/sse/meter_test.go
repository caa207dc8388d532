package sse

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// verdict is everything that a meter says about a stream.
type verdict struct {
	Content, Ended, Failed bool
	Failure, Stop, Passed  string
	Usage                  Usage
}

func meter(d dialect.Dialect, hide bool, pieces [][]byte) verdict {
	var m Meter
	m.Reset(d, hide)
	var passed []byte
	for _, p := range pieces {
		p = bytes.Clone(p)
		head, rest := m.Feed(p)
		passed = append(append(passed, head...), rest...)
		for i := range p {
			p[i] = '!'
		}
	}
	passed = append(passed, m.Close()...)
	failure, failed := m.Failed()
	if (hide || failed) && bytes.Contains(passed, []byte{'\r'}) {
		// Where a cut parts the CRLF beside a withheld frame, its LF, a blank
		// line, stays or goes: only the events are the same.
		passed = fmt.Append(nil, reference(string(passed)))
	}
	return verdict{m.Content(), m.Ended(), failed, string(failure), m.StopReason(), string(passed), m.Usage()}
}

func dialectOf(name string) dialect.Dialect {
	if strings.Contains(name, "-msg-") {
		return dialect.Anthropic
	}
	return dialect.OpenAI
}

func TestMeterOnRecordings(t *testing.T) {
	streams := recordings(t)
	for _, tc := range []struct {
		name string
		want verdict // but for Passed
	}{
		{"vllm-11-chat-text-stream", verdict{Content: true, Ended: true, Stop: "stop"}},
		{"vllm-13-chat-text-stream-continuous-usage", verdict{Content: true, Ended: true, Stop: "stop", Usage: Usage{Input: 10, Output: 27, Reasoning: 6, Known: true}}},
		{"vllm-17-chat-length-1-stream", verdict{Ended: true, Stop: "length", Usage: Usage{Input: 10, Output: 1, Known: true}}},
		{"vllm-20-chat-n2-stream", verdict{Content: true, Ended: true, Stop: "stop", Usage: Usage{Input: 15, Output: 30, Known: true}}},
		{"vllm-41-chat-tool-auto-stream", verdict{Content: true, Ended: true, Stop: "tool_calls", Usage: Usage{Input: 20, CacheRead: 256, Output: 36, Reasoning: 10, Known: true}}},
		{"vllm-85-msg-tool-stream", verdict{Content: true, Ended: true, Stop: "tool_use", Usage: Usage{Input: 102, Output: 36, Known: true}}},
		{"vllm-89-msg-max-tokens-stream", verdict{Ended: true, Stop: "max_tokens", Usage: Usage{Input: 10, Output: 1, Known: true}}},
		{"vllm-B1-sigterm-mid-stream-abort", verdict{Content: true, Failed: true, Stop: "abort"}},
		{"vllm-B3-engine-killed-mid-stream", verdict{Content: true, Failed: true, Failure: `{"error": {"message": "EngineCore encountered an issue. See stack trace (above) for the root cause.", "type": "InternalServerError", "param": null, "code": 500}}`}},
		{"vllm-C8-queued-behind-another-stream", verdict{Content: true, Ended: true, Stop: "length"}},
		{"llamacpp-12-chat-reasoning-stream-usage", verdict{Content: true, Ended: true, Stop: "stop", Usage: Usage{Input: 1, CacheRead: 8, Output: 34, Known: true}}},
		{"llamacpp-31-msg-tool-stream", verdict{Content: true, Ended: true, Stop: "tool_use", Usage: Usage{Input: 15, CacheRead: 87, Output: 36, Known: true}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := meter(dialectOf(tc.name), false, [][]byte{streams[tc.name]})
			got.Passed = ""
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestMeterPassesEveryByte(t *testing.T) {
	for name, stream := range recordings(t) {
		got := meter(dialectOf(name), false, [][]byte{stream})
		if got.Failed {
			if !bytes.HasPrefix(stream, []byte(got.Passed)) || strings.Contains(got.Passed, "error") || strings.Contains(got.Passed, "abort") {
				t.Errorf("%s: something of the failure passed: %q", name, got.Passed)
			}
			continue
		}
		if got.Passed != string(stream) {
			t.Errorf("%s: %d bytes passed of %d", name, len(got.Passed), len(stream))
		}
	}
}

func TestAnyCutOfARecordingMetersTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, stream := range recordings(t) {
		d := dialectOf(name)
		for _, hide := range []bool{false, true} {
			for _, ends := range []string{"\n", "\r\n", "\r"} {
				b := bytes.ReplaceAll(stream, []byte("\n"), []byte(ends))
				want := meter(d, hide, [][]byte{b})
				for i := range 40 {
					pieces := cutRandomly(b, r)
					if i < 20 {
						pieces = cutAt(b, i+1)
					}
					if diff := cmp.Diff(want, meter(d, hide, pieces)); diff != "" {
						t.Fatalf("%s hide=%v %q, cut %d: -whole +cut\n%s", name, hide, ends, i, diff)
					}
				}
			}
		}
	}
}

// Wherever a recording is cut in two and ends there, only whole frames passed.
func TestATruncatedStreamEndsBetweenFrames(t *testing.T) {
	for _, name := range []string{"vllm-86-msg-tool-two-stream", "vllm-12-chat-text-stream-usage"} {
		stream := recordings(t)[name]
		whole := reference(string(stream))
		for n := range stream {
			got := meter(dialectOf(name), false, [][]byte{stream[:n/2], stream[n/2 : n]})
			events := reference(got.Passed)
			if len(events) > len(whole) || !cmp.Equal(events, append([]event(nil), whole[:len(events)]...)) {
				t.Fatalf("%s cut at %d: passed %q", name, n, got.Passed)
			}
			if got.Ended != (got.Stop != "") {
				t.Fatalf("%s cut at %d: Ended() = %v with stop reason %q", name, n, got.Ended, got.Stop)
			}
		}
	}
}

func TestFirstContent(t *testing.T) {
	start := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n"
	for _, tc := range []struct {
		name   string
		d      dialect.Dialect
		frames string
		want   bool
	}{
		{"message_start", dialect.Anthropic, start, false},
		{"ping", dialect.Anthropic, start + "event: ping\ndata: {\"type\": \"ping\"}\n\n", false},
		{"an empty text block", dialect.Anthropic, "event: content_block_start\ndata: {\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n", false},
		{"a tool block", dialect.Anthropic, "event: content_block_start\ndata: {\"content_block\":{\"type\":\"tool_use\",\"name\":\"x\",\"input\":{}}}\n\n", true},
		{"redacted thinking", dialect.Anthropic, "event: content_block_start\ndata: {\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"x\"}}\n\n", true},
		{"an empty delta", dialect.Anthropic, "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"\"}}\n\n", false},
		{"a text delta", dialect.Anthropic, "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\" \"}}\n\n", true},
		{"a signature", dialect.Anthropic, "event: content_block_delta\ndata: {\"delta\":{\"type\":\"signature_delta\",\"signature\":\"x\"}}\n\n", true},
		{"the role chunk", dialect.OpenAI, `data: {"choices":[{"delta":{"role":"assistant","content":"","tool_calls":[]}}]}` + "\n\n", false},
		{"no choices", dialect.OpenAI, `data: {"choices":[],"prompt_filter_results":[{}]}` + "\n\n", false},
		{"a comment", dialect.OpenAI, ": keep-alive\n\n", false},
		{"content", dialect.OpenAI, `data: {"choices":[{"delta":{"content":"\n"}}]}` + "\n\n", true},
		{"reasoning", dialect.OpenAI, `data: {"choices":[{"delta":{"content":null,"reasoning":"x"}}]}` + "\n\n", true},
		{"reasoning_content", dialect.OpenAI, `data: { "choices" : [ { "delta" : { "reasoning_content" : "x" } } ] }` + "\n\n", true},
		{"a tool call", dialect.OpenAI, `data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}` + "\n\n", true},
		{"a refusal", dialect.OpenAI, `data: {"choices":[{"delta":{"refusal":"x"}}]}` + "\n\n", true},
		{"a page of HTML", dialect.OpenAI, "<html>\n\n</html>\n\n", false},
		{"plain JSON", dialect.OpenAI, `{"choices":[{"delta":{"content":"x"}}]}` + "\n\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := meter(tc.d, false, [][]byte{[]byte(tc.frames)}).Content; got != tc.want {
				t.Errorf("Content() = %v, want %v", got, tc.want)
			}
		})
	}
}

const chunk = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}` + "\n\n"

// What looks like an end, a failure or a bill inside text is text.
func TestTextThatQuotesTheProtocol(t *testing.T) {
	for _, text := range []string{
		`\"finish_reason\":\"abort\"`, `\"error\":{\"message\":\"x\"}`, `\n\ndata: [DONE]\n\n`,
		`},\"finish_reason\":\"stop\"},{\"delta\":{`, `\"usage\":{\"prompt_tokens\":9}`, `\\`, `\\\"`,
	} {
		stream := chunk + strings.Replace(chunk, `"a"`, `"`+text+`"`, 1) + chunk
		got := meter(dialect.OpenAI, true, [][]byte{[]byte(stream)})
		if want := (verdict{Content: true, Passed: stream}); got != want {
			t.Errorf("text %s: %+v", text, got)
		}
	}
}

// The shortcut for ordinary chunks must not hide what another chunk says.
func TestTheShortcutSeesWhatIsNotOrdinary(t *testing.T) {
	for _, tc := range []struct {
		last string
		want verdict
	}{
		{strings.Replace(chunk, `null`, `"length"`, 1), verdict{Ended: true, Stop: "length"}},
		{strings.Replace(chunk, `}]}`, `}],"usage":{"prompt_tokens":5,"completion_tokens":2}}`, 1), verdict{Usage: Usage{Input: 5, Output: 2, Known: true}}},
		{strings.Replace(chunk, `"a"},`, `"a"},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"},`, 1), verdict{Ended: true, Stop: "stop"}},
		{`data: {"id":"c","error":{"code":429},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}` + "\n\n", verdict{Failed: true, Failure: `{"id":"c","error":{"code":429},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`}},
		{"event: error\ndata: {\"message\":\"x\"}\n\n", verdict{Failed: true, Failure: `{"message":"x"}`}},
		{`data: {"object":"error","message":"x"}` + "\n\n", verdict{Failed: true, Failure: `{"object":"error","message":"x"}`}},
		{"data: [DONE]\n\n", verdict{Ended: true}},
	} {
		got := meter(dialect.OpenAI, false, [][]byte{[]byte(chunk), []byte(chunk), []byte(tc.last)})
		tc.want.Content = true
		got.Passed = ""
		if got != tc.want {
			t.Errorf("last %q:\n got %+v\nwant %+v", tc.last, got, tc.want)
		}
	}
}

func TestTheUsageChunkIsWithheld(t *testing.T) {
	stream := string(recordings(t)["vllm-12-chat-text-stream-usage"])
	var want strings.Builder
	for frame := range strings.SplitAfterSeq(stream, "\n\n") {
		if !strings.Contains(frame, `"choices":[]`) {
			want.WriteString(frame)
		}
	}
	for n := 1; n < 400; n++ {
		got := meter(dialect.OpenAI, true, cutAt([]byte(stream), n))
		if got.Passed != want.String() || !got.Usage.Known || got.Usage.Output != 27 {
			t.Fatalf("in pieces of %d: usage %+v, passed\n%s", n, got.Usage, got.Passed)
		}
	}
	if len(want.String()) >= len(stream) {
		t.Error("the recording has no usage chunk")
	}
}

func TestAFrameTooLongToHoldPasses(t *testing.T) {
	long := strings.Replace(chunk, `"a"`, `"`+strings.Repeat("x", 2*holdLimit)+`"`, 1)
	stream := chunk + long + strings.Replace(chunk, "null", `"stop"`, 1)
	var m Meter
	m.Reset(dialect.OpenAI, false)
	passed, between := 0, false
	for _, p := range cutAt([]byte(stream), 32<<10) {
		head, rest := m.Feed(p)
		passed += len(head) + len(rest)
		between = between || !m.AtBoundary()
		if len(m.held) > holdLimit+32<<10 {
			t.Fatalf("%d bytes held", len(m.held))
		}
	}
	if passed != len(stream) || !between || !m.AtBoundary() || m.StopReason() != "stop" {
		t.Errorf("%d bytes passed of %d, inside a frame: %v, at its end: %v, stop %q",
			passed, len(stream), between, !m.AtBoundary(), m.StopReason())
	}
}

// One big frame, cut in two, leaves no big buffer behind.
func TestAnIdleMeterKeepsLittle(t *testing.T) {
	long := strings.Replace(chunk, `"a"`, `"`+strings.Repeat("x", 64<<10)+`"`, 1)
	var m Meter
	m.Reset(dialect.OpenAI, false)
	m.Feed([]byte(long[:60<<10]))
	m.Feed([]byte(long[60<<10:]))
	m.Feed([]byte(chunk))
	m.Feed([]byte(chunk))
	if n := cap(m.held) + cap(m.spare); n > 2*keepLimit {
		t.Errorf("%d bytes are kept between events", n)
	}
}

// A frame of which a part has passed must not be taken for an event.
func TestAppendCut(t *testing.T) {
	delta := "event: content_block_delta\ndata: {\"delta\":{\"text\":\"" + strings.Repeat("x", 2*holdLimit)
	for _, cut := range []string{delta, delta + "\"}}\n"} {
		var m Meter
		m.Reset(dialect.Anthropic, false)
		head, rest := m.Feed([]byte(cut))
		sent := append(append([]byte(nil), head...), rest...)
		if m.AtBoundary() || len(sent) != len(cut) {
			t.Fatalf("AtBoundary() = %v, %d bytes passed of %d", m.AtBoundary(), len(sent), len(cut))
		}
		sent = AppendEvent(m.AppendCut(sent), "error", []byte(`{"type":"error"}`))
		events := reference(string(sent))
		if len(events) != 2 || events[0].Name != "ping" || events[1] != (event{"error", `{"type":"error"}`}) {
			t.Errorf("the client sees %d events, the last %+v", len(events), events[len(events)-1])
		}
	}
}

func TestALastFrameWithoutBlankLinePasses(t *testing.T) {
	for _, end := range []string{"", "\n", "\r\n"} {
		got := meter(dialect.OpenAI, false, [][]byte{[]byte(chunk + "data: [DONE]" + end)})
		if events := reference(got.Passed); !got.Ended || len(events) != 2 || !strings.HasSuffix(got.Passed, "\n\n") && !strings.HasSuffix(got.Passed, "\r\n\n") {
			t.Errorf("end %q: Ended() = %v, passed %q", end, got.Ended, got.Passed)
		}
	}
	got := meter(dialect.OpenAI, false, [][]byte{[]byte("\xef\xbb\xbf" + strings.TrimSpace(chunk))})
	if !got.Content {
		t.Error("the only frame, with a byte order mark and no end, was not read")
	}
}

func TestPings(t *testing.T) {
	var m Meter
	m.Reset(dialect.Anthropic, false)
	if got := string(m.AppendPing(nil)); got != ": ping\n\n" {
		t.Errorf("before message_start: %q", got)
	}
	m.Feed([]byte("event: message_start\ndata: {\"type\":\"message_start\"}\n\n"))
	if got := string(m.AppendPing(nil)); got != "event: ping\ndata: {\"type\": \"ping\"}\n\n" {
		t.Errorf("behind message_start: %q", got)
	}
	m.Reset(dialect.OpenAI, false)
	if got := string(m.AppendPing(nil)); got != ": ping\n\n" {
		t.Errorf("chat completions: %q", got)
	}
}

func TestMeteringAllocatesNothing(t *testing.T) {
	for name, stream := range recordings(t) {
		var m Meter
		m.Reset(dialectOf(name), false)
		m.Feed(stream)
		if _, failed := m.Failed(); failed {
			continue // a failure is copied, once
		}
		allocs := testing.AllocsPerRun(20, func() {
			m.Reset(dialectOf(name), false)
			m.Feed(stream)
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
