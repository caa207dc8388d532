package quota

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
)

const (
	idBytes = 12 // 96 bits
	idChars = idBytes * 4 / 3
)

// ids makes reservation ids. It asks the system for many at once, since one
// system call costs more than everything else about an id.
type ids struct {
	mu   sync.Mutex
	pool [64 * idBytes]byte
	used int // how much of pool was given out; 0: all of it
}

// next returns 96 random bits as 16 base64url characters.
func (s *ids) next() string {
	var id [idChars]byte
	s.mu.Lock()
	if s.used == 0 {
		_, _ = rand.Read(s.pool[:]) // never fails, says its documentation
	}
	base64.RawURLEncoding.Encode(id[:], s.pool[s.used:s.used+idBytes])
	s.used = (s.used + idBytes) % len(s.pool)
	s.mu.Unlock()
	return string(id[:])
}
