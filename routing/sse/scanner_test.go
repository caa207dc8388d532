package sse

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type event struct{ Name, Data string }

// reference parses a stream as the HTML standard says, in the simplest way
// there is: all bytes at once, lines first. As our reader does, it counts a
// last frame without a blank line and leaves events without data out.
func reference(stream string) []event {
	stream = strings.TrimPrefix(stream, "\xef\xbb\xbf")
	stream = strings.ReplaceAll(stream, "\r\n", "\n")
	stream = strings.ReplaceAll(stream, "\r", "\n")
	var events []event
	var name string
	var data []string
	dispatch := func() {
		if data != nil {
			events = append(events, event{name, strings.Join(data, "\n")})
		}
		name, data = "", nil
	}
	for line := range strings.SplitSeq(stream, "\n") {
		if line == "" {
			dispatch()
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch key {
		case "event":
			name = value
		case "data":
			data = append(data, value)
		}
	}
	dispatch()
	return events
}

// scan feeds the pieces and returns what the scanner makes of them.
func scan(t testing.TB, pieces [][]byte) []event {
	t.Helper()
	var s Scanner
	var events []event
	for _, p := range pieces {
		p = bytes.Clone(p) // so that a look beyond the piece would be seen
		s.Feed(p)
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			events = append(events, event{string(ev.Name), string(ev.Data)})
		}
		for i := range p {
			p[i] = '!' // the reader's buffer is used again
		}
	}
	if ev, ok := s.Last(); ok {
		events = append(events, event{string(ev.Name), string(ev.Data)})
	}
	if err := s.Err(); err != nil {
		t.Fatalf("Err() = %v", err)
	}
	return events
}

// cutAt cuts b into pieces of n bytes.
func cutAt(b []byte, n int) [][]byte {
	var pieces [][]byte
	for len(b) > n {
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return append(pieces, b)
}

func cutRandomly(b []byte, r *rand.Rand) [][]byte {
	var pieces [][]byte
	for len(b) > 0 {
		n := min(1+r.IntN(200), len(b))
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

// recordings returns the recorded streams by file name.
func recordings(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.sse")
	if err != nil || len(files) < 30 {
		t.Fatalf("recorded streams: %d files, %v; want at least 30", len(files), err)
	}
	streams := make(map[string][]byte, len(files))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		streams[strings.TrimSuffix(filepath.Base(f), ".sse")] = b
	}
	return streams
}

func TestScannerReadsWhatTheStandardSays(t *testing.T) {
	for _, tc := range []struct {
		name, stream string
		want         []event
	}{
		{name: "LF", stream: "event: a\ndata: 1\n\ndata: 2\n\n", want: []event{{"a", "1"}, {"", "2"}}},
		{name: "CRLF", stream: "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", want: []event{{"a", "1"}, {"", "2"}}},
		{name: "CR", stream: "event: a\rdata: 1\r\rdata: 2\r\r", want: []event{{"a", "1"}, {"", "2"}}},
		{name: "mixed ends", stream: "data: 1\r\n\ndata: 2\n\r\ndata: 3\r\r\n", want: []event{{"", "1"}, {"", "2"}, {"", "3"}}},
		{name: "one byte order mark", stream: "\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", want: []event{{"", "1"}}},
		{name: "comments", stream: ": hi\n\n:\ndata: 1\n: between\ndata: 2\n\n", want: []event{{"", "1\n2"}}},
		{name: "with and without a blank", stream: "data:1\n\ndata:  2\n\n", want: []event{{"", "1"}, {"", " 2"}}},
		{name: "three data lines", stream: "data: {\ndata\ndata: }\n\n", want: []event{{"", "{\n\n}"}}},
		{name: "empty data is an event", stream: "data:\n\n", want: []event{{"", ""}}},
		{name: "a lone event field is none", stream: "event: a\n\ndata: 1\n\n", want: []event{{"", "1"}}},
		{name: "the last event field counts", stream: "event: a\ndata: 1\nevent: b\n\n", want: []event{{"b", "1"}}},
		{name: "no blank line at the end", stream: "data: 1\n\ndata: 2", want: []event{{"", "1"}, {"", "2"}}},
		{name: "unknown fields", stream: "id: 7\nretry: 3\ndata: 1\nfoo\n\n", want: []event{{"", "1"}}},
		{name: "blank lines", stream: "\n\n\r\n\ndata: 1\n\n\n\n", want: []event{{"", "1"}}},
		{name: "nothing", stream: "", want: nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, reference(tc.stream)); diff != "" {
				t.Errorf("reference(%q): -want +got\n%s", tc.stream, diff)
			}
			for n := 1; n <= len(tc.stream)+1; n++ {
				if diff := cmp.Diff(tc.want, scan(t, cutAt([]byte(tc.stream), n))); diff != "" {
					t.Errorf("scan(%q) in pieces of %d: -want +got\n%s", tc.stream, n, diff)
				}
			}
		})
	}
}

func TestAnyCutOfARecordingGivesTheSameEvents(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, stream := range recordings(t) {
		for _, ends := range []string{"\n", "\r\n", "\r"} {
			b := bytes.ReplaceAll(stream, []byte("\n"), []byte(ends))
			want := reference(string(b))
			for n := 1; n < 300; n += 1 + n/8 {
				if diff := cmp.Diff(want, scan(t, cutAt(b, n))); diff != "" {
					t.Fatalf("%s with %q in pieces of %d: -want +got\n%s", name, ends, n, diff)
				}
			}
			if diff := cmp.Diff(want, scan(t, cutRandomly(b, r))); diff != "" {
				t.Fatalf("%s with %q cut at random: -want +got\n%s", name, ends, diff)
			}
		}
	}
}

func TestAFrameOfMegabytesIsRead(t *testing.T) {
	data := strings.Repeat("x", 3<<20)
	got := scan(t, cutAt([]byte("data: "+data+"\n\ndata: 2\n\n"), 32<<10))
	if len(got) != 2 || got[0].Data != data || got[1].Data != "2" {
		t.Errorf("scan(3 MiB, 2) gave %d events", len(got))
	}
}

func TestAFrameBeyondTheLimitEndsTheStream(t *testing.T) {
	var s Scanner
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for range 17 {
		s.Feed(piece)
		if _, ok := s.Next(); ok {
			t.Fatal("Next() found an event in an endless line")
		}
	}
	if s.Err() != ErrFrameTooLong || len(s.open) != 0 {
		t.Errorf("after 17 MiB: Err() = %v, %d bytes kept", s.Err(), len(s.open))
	}
	s.Feed([]byte("\n\ndata: 1\n\n"))
	if _, ok := s.Next(); ok {
		t.Error("Next() went on behind a frame that was too long")
	}
}

func TestAFrameInsideOnePieceIsNotCopied(t *testing.T) {
	piece := []byte("event: a\ndata: hello\n\n")
	var s Scanner
	s.Feed(piece)
	ev, ok := s.Next()
	if !ok || &ev.Data[0] != &piece[15] {
		t.Errorf("Data = %q is not a part of the piece", ev.Data)
	}
}
