package sse

import (
	"bytes"
	"testing"
)

// BenchmarkMeter feeds recorded streams as backends send them: one event per
// piece, and as a fast network delivers them: all in one.
func BenchmarkMeter(b *testing.B) {
	streams := recordings(b)
	for _, name := range []string{
		"vllm-31-chat-reasoning-stream", "vllm-46-chat-tool-nested-arguments-stream",
		"vllm-13-chat-text-stream-continuous-usage", "llamacpp-21-chat-unicode-stream", "vllm-81-msg-text-stream",
	} {
		stream := streams[name]
		events := bytes.SplitAfter(stream, []byte("\n\n"))
		events = events[:len(events)-1]
		var m Meter
		b.Run(name+"/apart", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Reset(dialectOf(name), false)
				for _, e := range events {
					m.Feed(e)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
		b.Run(name+"/joined", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Reset(dialectOf(name), false)
				m.Feed(stream)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
	}
}

func BenchmarkScanner(b *testing.B) {
	stream := recordings(b)["vllm-31-chat-reasoning-stream"]
	events := bytes.Count(stream, []byte("\n\n"))
	var s Scanner
	b.ReportAllocs()
	for b.Loop() {
		s.Feed(stream)
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
}
