package respw

import "sync"

// buffer is a byte slice that lives in a pool, so that an idle stream keeps
// none of what it once held.
type buffer struct{ data []byte }

// The pools: holds are small, most often one or two events; tails are as long
// as a read of the proxy and twice what is kept of a plain answer.
var (
	holds = sync.Pool{New: func() any { return &buffer{data: make([]byte, 0, 2<<10)} }}
	tails = sync.Pool{New: func() any { return &buffer{data: make([]byte, 0, 2*tailLimit)} }}
)

func take(pool *sync.Pool) *buffer {
	b, ok := pool.Get().(*buffer)
	if !ok {
		panic("respw: foreign value in the pool")
	}
	return b
}

// free gives b back, unless it is nil or has outgrown the pool.
func (b *buffer) free(pool *sync.Pool) {
	if b == nil || cap(b.data) > 4*tailLimit {
		return
	}
	b.data = b.data[:0]
	pool.Put(b)
}
