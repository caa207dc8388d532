package keycloak

import (
	"crypto/sha256"
	"sync"
	"time"
	"unsafe"

	"github.com/openova-io/llm-gateway/auth"
)

// Sizes of the result caches, and how long their entries serve.
const (
	shards      = 64
	perShard    = 1024 // 64k good tokens in all
	badPerShard = 64   // 4k refused ones
	goodFor     = 60 * time.Second
	badFor      = 5 * time.Second
)

// digest is the key of a result: the hash of the whole token. Anything shorter
// lets two tokens share an answer.
type digest [sha256.Size]byte

// digestOf hashes the token where it lies: a conversion would copy it for every
// request. Sum256 neither keeps nor changes what it reads.
func digestOf(token string) digest {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token))) //nolint:gosec // see above
}

// result is what a token came to, and until when that holds.
type result struct {
	principal  *auth.Principal
	refused    *auth.Error
	until      int64 // Unix nanoseconds
	generation uint64
}

// cache holds results, good and bad apart: a flood of bad tokens must not push
// good ones out.
type cache struct {
	good, bad [shards]lru
}

func newCache() *cache {
	c := new(cache)
	for i := range shards {
		c.good[i].limit, c.bad[i].limit = perShard, badPerShard
	}
	return c
}

// get returns the result of a token that still holds at now under the given
// generation of keys.
func (c *cache) get(id *digest, now int64, generation uint64) (result, bool) {
	shard := id[0] % shards
	if r, ok := c.good[shard].get(id); ok && now < r.until && r.generation == generation {
		return r, true
	}
	r, ok := c.bad[shard].get(id)
	return r, ok && now < r.until && r.generation == generation
}

func (c *cache) put(id *digest, r result) {
	if r.refused != nil {
		c.bad[id[0]%shards].put(id, r)
		return
	}
	c.good[id[0]%shards].put(id, r)
}

// lru is one shard: a map into a ring of slots, linked by recency. Slot 0 is
// the ring's head: its next is the most, its previous the least recent.
type lru struct {
	mu    sync.Mutex
	limit int
	at    map[digest]int32
	slots []slot
}

type slot struct {
	id             digest
	result         result
	previous, next int32
}

func (l *lru) get(id *digest) (result, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.at[*id]
	if !ok {
		return result{}, false
	}
	if l.slots[0].next != i {
		l.unlink(i)
		l.front(i)
	}
	return l.slots[i].result, true
}

func (l *lru) put(id *digest, r result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at, l.slots = map[digest]int32{}, make([]slot, 1, 8)
	}
	i, ok := l.at[*id]
	switch {
	case ok:
		l.unlink(i)
	case len(l.slots) <= l.limit:
		l.slots = append(l.slots, slot{})
		i = int32(len(l.slots) - 1) //nolint:gosec // at most limit
	default:
		i = l.slots[0].previous
		l.unlink(i)
		delete(l.at, l.slots[i].id)
	}
	l.at[*id] = i
	l.slots[i].id, l.slots[i].result = *id, r
	l.front(i)
}

func (l *lru) unlink(i int32) {
	s := &l.slots[i]
	l.slots[s.previous].next, l.slots[s.next].previous = s.next, s.previous
}

func (l *lru) front(i int32) {
	first := l.slots[0].next
	l.slots[i].previous, l.slots[i].next = 0, first
	l.slots[0].next, l.slots[first].previous = i, i
}
