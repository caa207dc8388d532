package sse

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// Any cut of the same bytes means the same, to the scanner and to the meter,
// and what a meter lets pass is what came, frame by frame.
func FuzzSegmentation(f *testing.F) {
	for name, stream := range recordings(f) {
		f.Add(stream, uint64(len(name)), dialectOf(name) == dialect.OpenAI, false)
	}
	f.Add([]byte("\xef\xbb\xbfdata: 1\r\rdata: [DONE]"), uint64(1), true, true)
	f.Add([]byte("data: {\"error\":\"x\"}\r\n\r\n\n"), uint64(2), true, false)
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64, chat, hide bool) {
		d := dialect.Anthropic
		if chat {
			d = dialect.OpenAI
		}
		pieces := cutRandomly(stream, rand.New(rand.NewPCG(seed, 0)))
		want := reference(string(stream))
		if diff := cmp.Diff(want, scan(t, pieces)); diff != "" {
			t.Fatalf("scanner: -reference +got\n%s", diff)
		}
		got := meter(d, hide, pieces)
		if diff := cmp.Diff(meter(d, hide, [][]byte{stream}), got); diff != "" {
			t.Fatalf("meter: -whole +cut\n%s", diff)
		}
		if hide || got.Failed {
			return
		}
		// Only the end of the last frame may have been added.
		if came := strings.TrimRight(got.Passed, "\n"); !strings.HasPrefix(string(stream), came) {
			t.Fatalf("passed %q of %q", got.Passed, stream)
		}
	})
}
