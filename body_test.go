package llmgateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/openova-io/llm-gateway/internal/queue"
)

// readTestBody reads src as a body of the declared length under a limit.
func readTestBody(t *testing.T, src io.Reader, declared, limit int64) (*requestBody, *queue.Gate, error) {
	t.Helper()
	gate := queue.NewGate(1<<20, 1)
	hold, err := gate.Acquire(t.Context(), "subject", 1, bufferSize(declared), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	b := &requestBody{hold: hold}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.NopCloser(src))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = declared
	return b, gate, b.read(r, limit, time.Now)
}

func TestBodyRead(t *testing.T) {
	text := strings.Repeat("x", 10_000)
	for _, tc := range []struct {
		name            string
		src             io.Reader
		declared, limit int64
		want            int
		err             error
	}{
		{name: "declared", src: strings.NewReader(text), declared: 10_000, limit: 10_000, want: 10_000},
		{name: "byte by byte", src: iotest.OneByteReader(strings.NewReader(text)), declared: 10_000, limit: 10_000, want: 10_000},
		{name: "unknown length", src: strings.NewReader(text), declared: -1, limit: 10_000, want: 10_000},
		{name: "one byte too many", src: strings.NewReader(text), declared: -1, limit: 9_999, err: errBodyTooBig},
		{name: "more than declared", src: strings.NewReader(text), declared: 5, limit: 9_999, err: errBodyTooBig},
		{name: "broken off", src: iotest.TimeoutReader(iotest.HalfReader(strings.NewReader(text))), declared: 10_000, limit: 10_000, err: iotest.ErrTimeout},
		{name: "the last byte comes with the end, beyond a full buffer", src: iotest.DataErrReader(strings.NewReader(strings.Repeat("x", 4<<10+1))), declared: -1, limit: 10_000, want: 4<<10 + 1},
		{name: "one byte more than the first buffer", src: iotest.DataErrReader(strings.NewReader(strings.Repeat("x", firstBuffer+1))), declared: firstBuffer + 1, limit: firstBuffer + 1, want: firstBuffer + 1},
		{name: "empty", src: strings.NewReader(""), declared: 0, limit: 10, want: 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, gate, err := readTestBody(t, tc.src, tc.declared, tc.limit)
			if !errors.Is(err, tc.err) {
				t.Fatalf("read = %v, want %v", err, tc.err)
			}
			if err == nil && len(b.bytes) != tc.want {
				t.Errorf("read %d bytes, want %d", len(b.bytes), tc.want)
			}
			b.release()
			if free := gate.Free(); free != 1<<20 {
				t.Errorf("after release %d of the budget are free, want all of %d", free, 1<<20)
			}
		})
	}
}

func TestBodyReadStopsAtTheBudget(t *testing.T) {
	b, gate, err := func() (*requestBody, *queue.Gate, error) {
		gate := queue.NewGate(8<<10, 1)
		hold, err := gate.Acquire(t.Context(), "subject", 1, bufferSize(-1), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		b := &requestBody{hold: hold}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", io.NopCloser(strings.NewReader(strings.Repeat("x", 64<<10))))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = -1
		return b, gate, b.read(r, 1<<20, time.Now)
	}()
	if err == nil {
		t.Fatal("a body of 64 KiB was read into a budget of 8 KiB")
	}
	if cap(b.bytes) > 8<<10 {
		t.Errorf("the buffer grew to %d bytes beyond the budget", cap(b.bytes))
	}
	b.release()
	if gate.Free() != 8<<10 {
		t.Error("the budget is not free again")
	}
}

func TestBodyIsHeldUntilTheLastReaderCloses(t *testing.T) {
	b, gate, err := readTestBody(t, strings.NewReader("hello world"), 11, 100)
	if err != nil {
		t.Fatal(err)
	}
	first := b.open([][]byte{b.bytes[:5], []byte(", "), b.bytes[6:]})
	second := b.open([][]byte{b.bytes})
	b.release()
	if gate.Free() == 1<<20 {
		t.Fatal("released while an upstream may still read")
	}
	got, err := io.ReadAll(iotest.OneByteReader(first))
	if err != nil || !bytes.Equal(got, []byte("hello, world")) {
		t.Errorf("read %q, %v", got, err)
	}
	first.Close()
	first.Close() // the transport and we may both close
	if gate.Free() == 1<<20 {
		t.Fatal("released while the second reader is open")
	}
	second.Close()
	if gate.Free() != 1<<20 {
		t.Error("not released by the last close")
	}
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, errBodyClosed) {
		t.Errorf("read after close = %v, want %v", err, errBodyClosed)
	}
}
