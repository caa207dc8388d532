package respw_test

import (
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/respw"
)

func BenchmarkAnswer(b *testing.B) {
	for name, label := range map[string]string{"plain": "application/json", "stream": "text/event-stream"} {
		body := []byte(answer)
		if name == "stream" {
			body = []byte(textChunk)
		}
		label := []string{label}
		b.Run(name, func(b *testing.B) {
			c := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				w := respw.New(c, options(dialect.OpenAI))
				w.Header()["Content-Type"] = label
				w.WriteHeader(200)
				_, _ = w.Write(body)
				_ = w.FlushError()
				w.Finish(false)
				w.Release()
			}
		})
	}
}

// BenchmarkEvent is the cost of one event under way: one write, one flush.
func BenchmarkEvent(b *testing.B) {
	w := respw.New(&sink{header: http.Header{}}, options(dialect.OpenAI))
	defer w.Release()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(200)
	event := []byte(textChunk)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(event)
		_ = w.FlushError()
	}
}

// A stream that is idle costs the Writer, its headers and a timer.
func TestMemoryOfAnIdleStream(t *testing.T) {
	if raceDetector {
		t.Skip("sync.Pool drops values under the race detector")
	}
	const streams = 2000
	c := &sink{header: http.Header{}}
	open := make([]*respw.Writer, streams)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range open {
		w := respw.New(c, respw.Options{Dialect: dialect.OpenAI, Now: time.Now})
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Date", "today")
		w.WriteHeader(200)
		_, _ = w.Write([]byte(roleChunk))
		_, _ = w.Write([]byte(textChunk))
		open[i] = w
	}
	runtime.GC()
	runtime.GC() // the second one empties what the pools still held
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / streams
	t.Logf("%d bytes per idle stream", each)
	if each > 2600 {
		t.Errorf("%d bytes per idle stream, want about 2 KB", each)
	}
	for _, w := range open {
		w.Finish(true)
		w.Release()
	}
}
