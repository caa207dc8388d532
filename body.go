package llmgateway

import (
	"context"
	"errors"
	"io"
	"math/bits"
	"net/http"
	"slices"
	"sync"

	"github.com/openova-io/llm-gateway/internal/queue"
)

// requestBody is a request's body in memory, counted against the budget of the
// site until it is released. It is released as soon as the upstream has read
// it, so that a long answer does not hold the prompt.
type requestBody struct {
	bytes []byte
	hold  queue.Hold

	mu       sync.Mutex
	readers  int  // requests to upstreams that may still read
	wanted   bool // nobody needs the bytes any more once readers is 0
	released bool
}

// errBodyTooBig is returned by read for more than the limit.
var errBodyTooBig = errors.New("request body too big")

// Buffers are pooled by size class, a class for each power of two from 4 KiB
// to 1 MiB. Larger ones are rare and left to the collector: a pool would keep
// the largest body that ever came.
const (
	minClass = 12
	maxClass = 20
)

var bodyPools [maxClass - minClass + 1]sync.Pool

func getBuffer(size int) []byte {
	class := max(bits.Len(uint(max(size, 1)-1)), minClass)
	if class > maxClass {
		return make([]byte, 0, size)
	}
	if b, ok := bodyPools[class-minClass].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<class)
}

func putBuffer(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < minClass || class > maxClass || cap(b) != 1<<class {
		return
	}
	b = b[:0]
	bodyPools[class-minClass].Put(&b)
}

// bodyWeight is what a body of the declared length takes of the budget at
// first; -1 is a length that nobody declared.
func bodyWeight(declared int64) int64 { return max(declared, unknownLength) }

// unknownLength is the first buffer of a body that announces no length.
const unknownLength = 4 << 10

// read reads the request's body into a pooled buffer. The budget grows before
// the memory does: a body of unknown length grows by doubling. The declared
// length is a hint that is never trusted beyond limit.
func (b *requestBody) read(r *http.Request, limit int64) error {
	// One byte more than declared: the read that finds the end needs room.
	b.bytes = getBuffer(int(bodyWeight(r.ContentLength) + 1))
	for {
		if len(b.bytes) == cap(b.bytes) {
			if err := b.grow(r.Context()); err != nil {
				return err
			}
		}
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > limit:
			return errBodyTooBig
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// grow doubles the buffer.
func (b *requestBody) grow(ctx context.Context) error {
	if err := b.hold.Grow(ctx, int64(cap(b.bytes)), bodyWait); err != nil {
		return err
	}
	bigger := append(getBuffer(2*cap(b.bytes)), b.bytes...)
	putBuffer(b.bytes)
	b.bytes = bigger
	return nil
}

// open returns the body, spliced with the given pieces, for one attempt at an
// upstream. The reader must be closed.
func (b *requestBody) open(pieces [][]byte) *bodyReader {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.released { // the bytes are somebody else's by now
		return &bodyReader{body: b, closed: true}
	}
	b.readers++
	// Reading shortens the list; another attempt starts with the whole.
	return &bodyReader{body: b, pieces: slices.Clone(pieces)}
}

// release gives memory and budget back as soon as no upstream reads them.
// It may be called more than once.
func (b *requestBody) release() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted = true
	b.freeLocked()
}

func (b *requestBody) freeLocked() {
	if b.released || !b.wanted || b.readers > 0 {
		return
	}
	b.released = true
	putBuffer(b.bytes)
	b.bytes = nil
	b.hold.Release()
}

// bodyReader reads pieces of a body in order without copying them together.
type bodyReader struct {
	body   *requestBody
	pieces [][]byte

	mu     sync.Mutex
	closed bool
}

var errBodyClosed = errors.New("body read after close")

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, errBodyClosed
	}
	n := 0
	for n < len(p) && len(r.pieces) > 0 {
		c := copy(p[n:], r.pieces[0])
		n += c
		if c == len(r.pieces[0]) {
			r.pieces = r.pieces[1:]
		} else {
			r.pieces[0] = r.pieces[0][c:]
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements io.Closer. The transport calls it when it is done with the
// body, which may be after the answer began.
func (r *bodyReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	r.pieces = nil
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.body.readers--
	r.body.freeLocked()
	return nil
}
