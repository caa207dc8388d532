package respw_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/respw"
	"github.com/openova-io/llm-gateway/routing/sse"
)

func TestNothingLeavesBeforeContent(t *testing.T) {
	c := newClient()
	w := stream(t, c, dialect.Anthropic)
	write(t, w, messageStart)
	write(t, w, blockStart+textDelta[:20])
	if writes, flushes := c.count(); c.status != 0 || writes+flushes != 0 {
		t.Fatalf("before content: status %d, %d writes, %d flushes", c.status, writes, flushes)
	}
	write(t, w, textDelta[20:])
	if want := []string{messageStart + blockStart + textDelta}; c.status != 200 || !slices.Equal(c.writes, want) || c.flushes != 1 {
		t.Fatalf("at content: status %d, %d flushes, wrote %q", c.status, c.flushes, c.writes)
	}
	write(t, w, textDelta)
	write(t, w, messageDelta+messageStop)
	if len(c.writes) != 3 || c.flushes != 3 {
		t.Errorf("three reads made %d writes, %d flushes", len(c.writes), c.flushes)
	}
	got := w.Finish(false)
	if got.FirstByte.IsZero() {
		t.Error("FirstByte is zero")
	}
	got.FirstByte = time.Time{}
	want := respw.Outcome{
		Status: 200, Committed: true, Stream: true, Content: true, Complete: true, StopReason: "end_turn",
		Bytes: int64(len(c.body())), Usage: sse.Usage{Input: 7, Output: 5, Known: true},
	}
	if !equal(got, want) {
		t.Errorf("Finish() = %+v\nwant %+v", got, want)
	}
}

func equal(a, b respw.Outcome) bool {
	return a.Status == b.Status && a.Committed == b.Committed && a.Stream == b.Stream && a.Content == b.Content &&
		a.Complete == b.Complete && a.Empty == b.Empty && a.Failed == b.Failed && string(a.Failure) == string(b.Failure) &&
		string(a.Captured) == string(b.Captured) && a.ClientGone == b.ClientGone && a.FirstByte.Equal(b.FirstByte) &&
		a.Bytes == b.Bytes && a.Usage == b.Usage && a.StopReason == b.StopReason
}

// Whatever ends a stream before content, the client has seen nothing of it.
func TestAFailureBeforeContentSendsNothing(t *testing.T) {
	for _, tc := range []struct {
		name    string
		d       dialect.Dialect
		writes  []string
		aborted bool
		failed  bool
		failure string
		empty   bool
	}{
		{name: "error event", d: dialect.Anthropic, writes: []string{messageStart, errorEvent}, failed: true, failure: `{"type":"error","error":{"type":"api_error","message":"x"}}`},
		{name: "error frame", d: dialect.OpenAI, writes: []string{roleChunk, `data: {"error": {"message": "x"}}` + "\n\n" + done}, failed: true, failure: `{"error": {"message": "x"}}`},
		{name: "content and abort in one piece", d: dialect.OpenAI, writes: []string{textChunk + abortChunk}, failed: true},
		{name: "end", d: dialect.Anthropic, writes: []string{messageStart}},
		{name: "end inside the first content", d: dialect.Anthropic, writes: []string{messageStart, textDelta[:60]}},
		{name: "reset", d: dialect.OpenAI, writes: []string{roleChunk}, aborted: true},
		{name: "JSON labelled as a stream", d: dialect.OpenAI, writes: []string{`{"error":"x"}` + "\n"}},
		{name: "no byte at all", d: dialect.OpenAI, empty: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClient()
			w := stream(t, c, tc.d)
			var err error
			for _, s := range tc.writes {
				_, err = w.Write([]byte(s))
			}
			if errors.Is(err, respw.ErrUpstreamFailed) != tc.failed {
				t.Errorf("last Write: %v", err)
			}
			got := w.Finish(tc.aborted)
			if c.status != 0 || len(c.writes) != 0 || got.Committed {
				t.Errorf("sent status %d, %q; Committed = %v", c.status, c.writes, got.Committed)
			}
			if got.Complete || got.Failed != tc.failed || string(got.Failure) != tc.failure || got.Empty != tc.empty || got.Status != 200 {
				t.Errorf("Finish() = %+v", got)
			}
			if err := w.AppendError([]byte(errorEvent)); !errors.Is(err, respw.ErrNotStreaming) {
				t.Errorf("AppendError() = %v, want ErrNotStreaming", err)
			}
		})
	}
}

func TestAnErrorAfterContentIsTheCallersToTell(t *testing.T) {
	c := newClient()
	w := stream(t, c, dialect.OpenAI)
	write(t, w, textChunk)
	if _, err := w.Write([]byte(textChunk + abortChunk + usageChunk + done)); !errors.Is(err, respw.ErrUpstreamFailed) {
		t.Errorf("Write(… abort …) = %v", err)
	}
	if _, err := w.Write([]byte(done)); !errors.Is(err, respw.ErrUpstreamFailed) {
		t.Errorf("Write behind a failure = %v", err)
	}
	got := w.Finish(true)
	if c.body() != textChunk+textChunk || !got.Failed || got.Complete || got.StopReason != "abort" {
		t.Errorf("the client has %q; %+v", c.body(), got)
	}
	if err := w.AppendError([]byte("data: {\"error\":{}}\n\n")); err != nil || c.body() != textChunk+textChunk+"data: {\"error\":{}}\n\n" {
		t.Errorf("AppendError() = %v; the client has %q", err, c.body())
	}
}

func TestAnEmptyAnswerIsAnAnswer(t *testing.T) {
	c := newClient()
	w := stream(t, c, dialect.OpenAI)
	write(t, w, roleChunk)
	write(t, w, finishChunk)
	write(t, w, done)
	if got := w.Finish(false); c.body() != roleChunk+finishChunk+done || !got.Complete || got.Content {
		t.Errorf("the client has %q; %+v", c.body(), got)
	}
}

func TestNoMoreIsHeldThanTheLimit(t *testing.T) {
	c := newClient()
	w := stream(t, c, dialect.OpenAI)
	long := ": " + strings.Repeat("x", 100<<10) + "\n\n"
	for range 12 {
		write(t, w, long)
	}
	if c.status != 200 || len(c.body()) != 12*len(long) {
		t.Errorf("1.2 MB without content: status %d, %d bytes sent", c.status, len(c.body()))
	}
	w.Finish(true)
}

func TestUsageThatTheClientDidNotAskForIsHidden(t *testing.T) {
	c := newClient()
	opts := options(dialect.OpenAI)
	opts.HideUsage = true
	w := begin(t, c, opts, "text/event-stream")
	for _, s := range []string{roleChunk, textChunk, finishChunk, usageChunk, done} {
		write(t, w, s)
	}
	got := w.Finish(false)
	if c.body() != roleChunk+textChunk+finishChunk+done || got.Usage != (sse.Usage{Input: 7, Output: 5, Known: true}) {
		t.Errorf("usage %+v; the client has %q", got.Usage, c.body())
	}
	if len(c.writes) != c.flushes {
		t.Errorf("%d writes, %d flushes: a write of nothing was flushed", len(c.writes), c.flushes)
	}
}

func TestAStreamBehindAnotherLabel(t *testing.T) {
	for _, pieces := range [][]string{
		{textChunk + done}, {"d", "at", "a: ", textChunk[6:], done}, {"\xef", "\xbb\xbf", textChunk, done}, {"\r\n", ": hi\n\n", textChunk, done},
	} {
		c := newClient()
		w := begin(t, c, options(dialect.OpenAI), "application/json")
		for _, p := range pieces {
			write(t, w, p)
		}
		got := w.Finish(false)
		if !got.Stream || !got.Complete || c.header.Get("Content-Type") != "text/event-stream" || c.body() != strings.Join(pieces, "") {
			t.Errorf("%q: %+v, %v, the client has %q", pieces, got, c.header, c.body())
		}
	}
}

// However the upstream's bytes are cut off, and in whatever pieces they came,
// what a client makes of the stream is whole events and then the error.
func TestAnErrorEventIsNeverGluedToHalfAnEvent(t *testing.T) {
	events := []string{messageStart, blockStart, textDelta, textDelta, messageDelta}
	for _, end := range []string{"\n", "\r\n", "\r"} {
		whole := strings.ReplaceAll(strings.Join(events, ""), "\n", end)
		first := len(strings.ReplaceAll(messageStart+blockStart+textDelta, "\n", end))
		for cut := first; cut < len(whole); cut++ {
			for _, piece := range []int{1, 7, 1000} {
				c := newClient()
				w := stream(t, c, dialect.Anthropic)
				for rest := whole[:cut]; rest != ""; rest = rest[min(piece, len(rest)):] {
					write(t, w, rest[:min(piece, len(rest))])
				}
				w.Finish(true)
				if err := w.AppendError([]byte(errorEvent)); err != nil {
					t.Fatal(err)
				}
				names := eventNames(t, c.body())
				if n := len(names); n < 4 || names[n-1] != "error" || slices.Contains(names[:n-1], "error") {
					t.Fatalf("%q cut at %d in pieces of %d: events %q\n%q", end, cut, piece, names, c.body())
				}
			}
		}
	}
}

// eventNames parses as the SDKs do, and fails where they would: on data of a
// known event that is no JSON.
func eventNames(t *testing.T, body string) []string {
	t.Helper()
	var s sse.Scanner
	var names []string
	s.Feed([]byte(body))
	for ev, ok := s.Next(); ok; ev, ok = s.Next() {
		if name := string(ev.Name); name != "ping" {
			if !strings.HasSuffix(string(ev.Data), "}") {
				t.Fatalf("event %s has data %q", name, ev.Data)
			}
			names = append(names, name)
		}
	}
	if _, ok := s.Last(); ok {
		t.Fatalf("an open frame at the end of %q", body)
	}
	return names
}

func TestAFrameTooLongToHoldIsClosedForTheError(t *testing.T) {
	c := newClient()
	w := stream(t, c, dialect.Anthropic)
	write(t, w, messageStart+textDelta)
	write(t, w, textDelta[:len(textDelta)-8])
	for range 40 {
		write(t, w, strings.Repeat("x", 32<<10))
	}
	w.Finish(true)
	if err := w.AppendError([]byte(errorEvent)); err != nil {
		t.Fatal(err)
	}
	if names := eventNames(t, c.body()); !slices.Equal(names, []string{"message_start", "content_block_delta", "error"}) {
		t.Errorf("the client reads %q", names)
	}
}

func TestClientGone(t *testing.T) {
	broken := errors.New("broken pipe")
	c := newClient()
	w := stream(t, c, dialect.OpenAI)
	write(t, w, textChunk)
	c.gone = broken
	if _, err := w.Write([]byte(textChunk)); !errors.Is(err, broken) {
		t.Errorf("Write() = %v", err)
	}
	if _, err := w.Write([]byte(done)); !errors.Is(err, broken) {
		t.Errorf("the next Write() = %v", err)
	}
	if got := w.Finish(true); !got.ClientGone || !got.Content || got.Complete {
		t.Errorf("Finish() = %+v", got)
	}
	if err := w.AppendError([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("AppendError() = %v", err)
	}
}

func TestHeadersOfAStream(t *testing.T) {
	c := newClient()
	opts := options(dialect.OpenAI)
	opts.Filter = func(dst, src http.Header, status int) {
		dst.Set("X-Seen", src.Get("X-Request-Id")+src.Get("X-Trailer"))
		dst.Set("Content-Length", src.Get("Content-Length"))
	}
	w := respw.New(c, opts)
	defer w.Release()
	w.Header().Set("Content-Type", "Text/Event-Stream")
	w.Header().Set("Content-Length", "1000")
	w.Header().Set("X-Request-Id", "7")
	w.Header().Set("X-Secret", "s")
	w.WriteHeader(200)
	w.Header().Set("X-Trailer", "late")
	write(t, w, textChunk)
	if len(c.header) != 1 || c.header.Get("X-Seen") != "7" {
		t.Errorf("the client has %v", c.header)
	}
}

func TestALastEventWithoutBlankLineIsCompleted(t *testing.T) {
	for _, begin := range []string{"", textChunk} {
		c := newClient()
		w := stream(t, c, dialect.OpenAI)
		write(t, w, begin)
		write(t, w, strings.TrimSpace(finishChunk))
		if got := w.Finish(false); c.body() != begin+finishChunk || !got.Complete {
			t.Errorf("the client has %q; %+v", c.body(), got)
		}
	}
}
