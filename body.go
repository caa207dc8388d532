package llmgateway

import (
	"errors"
	"io"
	"math/bits"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/openova-io/llm-gateway/internal/queue"
)

// requestBody is a request's body in memory, counted against the budget of the
// site until it is released. It is released as soon as the upstream has read
// it, so that a long answer does not hold the prompt.
type requestBody struct {
	bytes []byte
	hold  queue.Hold
	probe [1]byte

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

// firstBuffer is the most that a body is given before any of it has arrived:
// enough for nearly every request at once, and little enough that connections
// which announce much and send nothing do not fill the budget.
const firstBuffer = 256 << 10

// unknownLength is the first buffer of a body that announces no length.
const unknownLength = 4 << 10

// bufferSize is the capacity of the first buffer for a body of the declared
// length, -1 for one that nobody declared. The budget is charged with it.
func bufferSize(declared int64) int64 {
	if declared < 0 {
		return unknownLength
	}
	return classSize(min(declared, firstBuffer))
}

// classSize rounds a size up to the capacity that getBuffer gives.
func classSize(size int64) int64 {
	class := max(bits.Len64(uint64(max(size, 1)-1)), minClass)
	if class > maxClass {
		return size
	}
	return 1 << class
}

// slowestBody is the rate, in bytes per second, below which a body is given up
// after bodyPatience: memory is held for those who send.
const (
	slowestBody  = 16 << 10
	bodyPatience = 20 * time.Second
)

var errBodyTooSlow = errors.New("request body arrives too slowly")

// read reads the request's body into pooled buffers that grow as it arrives,
// the budget before the memory. The declared length is a hint that is never
// trusted beyond limit.
func (b *requestBody) read(r *http.Request, limit int64, now func() time.Time) error {
	b.bytes = getBuffer(int(bufferSize(r.ContentLength)))
	began := now()
	for {
		n, err := b.readSome(r)
		switch {
		case int64(len(b.bytes))+int64(n) > limit:
			return errBodyTooBig
		case n > 0: // more than fits; it may come together with the end
			if err := b.grow(r); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if late := now().Sub(began) - bodyPatience; late > 0 && late.Seconds()*slowestBody > float64(len(b.bytes)) {
			return errBodyTooSlow
		}
	}
}

// readSome reads once into the free part of the buffer. Of a full one it finds
// out whether the body has ended: n is 1 where it has not, and probe holds that
// byte.
func (b *requestBody) readSome(r *http.Request) (n int, err error) {
	if len(b.bytes) == cap(b.bytes) {
		return r.Body.Read(b.probe[:])
	}
	n, err = r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
	b.bytes = b.bytes[:len(b.bytes)+n]
	return 0, err
}

// grow doubles the buffer, or takes what was declared if that is less, and
// appends the byte that did not fit.
func (b *requestBody) grow(r *http.Request) error {
	size := 2 * int64(cap(b.bytes))
	if left := r.ContentLength; left > int64(cap(b.bytes)) {
		size = min(size, left)
	}
	size = classSize(size)
	if err := b.hold.Grow(r.Context(), size-int64(cap(b.bytes)), bodyWait); err != nil {
		return err
	}
	bigger := append(getBuffer(int(size)), b.bytes...)
	putBuffer(b.bytes)
	b.bytes = append(bigger, b.probe[0])
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
