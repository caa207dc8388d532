package respw_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/respw"
	"github.com/openova-io/llm-gateway/routing/sse"
)

const answer = `{"id":"c","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":5}}`

func TestAPlainAnswerPasses(t *testing.T) {
	for _, asked := range []bool{false, true} {
		c := newClient()
		opts := options(dialect.OpenAI)
		opts.Stream = asked
		w := respw.New(c, opts)
		defer w.Release()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "99")
		w.WriteHeader(http.StatusOK)
		if err := w.FlushError(); err != nil || c.status != 0 || c.flushes != 0 {
			t.Fatalf("before the body: FlushError() = %v, status %d", err, c.status)
		}
		write(t, w, answer[:30])
		write(t, w, answer[30:])
		got := w.Finish(false)
		if c.status != 200 || c.body() != answer || c.header.Get("Content-Length") != "99" || len(c.writes) != 2 {
			t.Errorf("the client has %d, %v, %q", c.status, c.header, c.writes)
		}
		if got.Stream || !got.Content || !got.Complete || got.Empty || got.FirstByte.IsZero() || got.Usage != (sse.Usage{Input: 7, Output: 5, Known: true}) {
			t.Errorf("Finish() = %+v", got)
		}
		if err := w.AppendError([]byte("x")); !errors.Is(err, respw.ErrNotStreaming) {
			t.Errorf("AppendError() = %v", err)
		}
	}
}

func TestUsageOfALongAnswer(t *testing.T) {
	c := newClient()
	w := begin(t, c, options(dialect.OpenAI), "application/json")
	long := strings.Replace(answer, "hi", strings.Repeat("text ", 40<<10), 1)
	n, err := io.Copy(w, strings.NewReader(long))
	if n != int64(len(long)) || err != nil || c.body() != long {
		t.Fatalf("Copy = %d, %v; %d bytes arrived", n, err, len(c.body()))
	}
	if got := w.Finish(false); got.Usage.Output != 5 || got.Bytes != n {
		t.Errorf("Finish() = %+v", got)
	}
}

func TestAnEmptySuccessIsNeverSent(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/event-stream", ""} {
		c := newClient()
		w := begin(t, c, options(dialect.OpenAI), contentType)
		write(t, w, "")
		if got := w.Finish(false); c.status != 0 || !got.Empty || got.Committed || got.Complete || got.Status != 200 {
			t.Errorf("%q: status %d sent; %+v", contentType, c.status, got)
		}
	}
}

func TestAnAbortedPlainAnswerIsNotComplete(t *testing.T) {
	c := newClient()
	w := begin(t, c, options(dialect.OpenAI), "application/json")
	write(t, w, answer[:40])
	if got := w.Finish(true); got.Complete || !got.Committed || !got.Content {
		t.Errorf("Finish(aborted) = %+v", got)
	}
}

func TestABodyTooShortToTellItsKindIsPlain(t *testing.T) {
	c := newClient()
	w := begin(t, c, options(dialect.OpenAI), "text/plain")
	write(t, w, "dat")
	if got := w.Finish(false); c.body() != "dat" || got.Stream || !got.Committed {
		t.Errorf("the client has %q; %+v", c.body(), got)
	}
}

// What is no success reaches the caller only.
func TestOtherAnswersAreCaptured(t *testing.T) {
	for _, status := range []int{http.StatusSwitchingProtocols, 301, 304, 400, 401, 429, 500, 529} {
		c := newClient()
		w := respw.New(c, options(dialect.Anthropic))
		defer w.Release()
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusProcessing)
		w.WriteHeader(status)
		body := strings.Repeat("0123456789abcdef", 32<<10)
		n, err := w.ReadFrom(strings.NewReader(body))
		if err != nil || n != int64(len(body)) {
			t.Errorf("%d: ReadFrom = %d, %v", status, n, err)
		}
		got := w.Finish(false)
		if c.status != 0 || len(c.writes) != 0 || c.flushes != 0 || len(c.header) != 0 {
			t.Errorf("%d: the client has %d %v", status, c.status, c.header)
		}
		if got.Status != status || got.Committed || got.Complete || string(got.Captured) != body[:256<<10] || got.CapturedHeader.Get("Retry-After") != "7" {
			t.Errorf("%d: Finish() = %+v with %d bytes", status, got.Status, len(got.Captured))
		}
	}
}

func TestTheClientsConnectionCannotBeTaken(t *testing.T) {
	w := respw.New(newClient(), options(dialect.OpenAI))
	defer w.Release()
	if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("Hijack() = %v", err)
	}
}

func TestACompressedStreamPassesAsItIs(t *testing.T) {
	c := newClient()
	w := respw.New(c, options(dialect.OpenAI))
	defer w.Release()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(200)
	write(t, w, "\x1f\x8b…")
	if got := w.Finish(false); got.Stream || c.body() != "\x1f\x8b…" {
		t.Errorf("the client has %q; %+v", c.body(), got)
	}
}

func TestNothingIsWrittenBehindFinish(t *testing.T) {
	c := newClient()
	w := stream(t, c, dialect.OpenAI)
	first := w.Finish(true)
	if _, err := w.Write([]byte(textChunk)); !errors.Is(err, respw.ErrFinished) {
		t.Errorf("Write() = %v", err)
	}
	w.WriteHeader(500)
	if got := w.Finish(false); !equal(got, first) || c.status != 0 {
		t.Errorf("Finish() again = %+v, first %+v", got, first)
	}
}

func TestNoAnswerAtAll(t *testing.T) {
	w := respw.New(newClient(), options(dialect.OpenAI))
	defer w.Release()
	if got := w.Finish(true); !equal(got, respw.Outcome{}) {
		t.Errorf("Finish() = %+v", got)
	}
}

// A Writer from the pool knows nothing of the answer before.
func TestAWriterIsUsedAgainClean(t *testing.T) {
	for range 50 {
		w := respw.New(newClient(), options(dialect.Anthropic))
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Old", "1")
		w.WriteHeader(200)
		_, _ = w.Write([]byte(messageStart + textDelta + messageDelta[:40]))
		w.Header().Set("X-Trailer", "1")
		w.Finish(true)
		w.Release()

		c := newClient()
		w = respw.New(c, options(dialect.OpenAI))
		if len(w.Header()) != 0 {
			t.Fatalf("headers of the last answer: %v", w.Header())
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		write(t, w, textChunk)
		got := w.Finish(false)
		if c.body() != textChunk || got.Usage.Known || got.Complete || got.StopReason != "" || got.Bytes != int64(len(textChunk)) {
			t.Fatalf("the client has %q; %+v", c.body(), got)
		}
		w.Release()
	}
}

// The wrapper's own cost: the timer of a stream, nothing for a plain answer.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("sync.Pool drops values under the race detector")
	}
	now := time.Now() // the clock is not what is measured
	opts := respw.Options{Dialect: dialect.OpenAI, Now: func() time.Time { return now }}
	c := &sink{header: http.Header{}}
	plain, events := []byte(answer), []byte(textChunk)
	for _, tc := range []struct {
		name, label string
		most        float64
		body        []byte
	}{
		{"plain", "application/json", 0, plain},
		{"stream", "text/event-stream", 1, events},
	} {
		label := []string{tc.label}
		got := testing.AllocsPerRun(200, func() {
			w := respw.New(c, opts)
			w.Header()["Content-Type"] = label
			w.WriteHeader(200)
			for range 50 {
				_, _ = w.Write(tc.body)
				_ = w.FlushError()
			}
			w.Finish(false)
			w.Release()
		})
		t.Logf("%s: %v allocations", tc.name, got)
		if got > tc.most {
			t.Errorf("%s: %v allocations, want at most %v", tc.name, got, tc.most)
		}
	}
}

// sink is a client that keeps nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) FlushError() error           { return nil }
