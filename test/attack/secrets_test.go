//go:build attack

package attack

import (
	"strings"
	"sync"
)

// secrets are texts that may appear nowhere. A run has thousands and looks for
// all of them in megabytes, so they are found by how they begin.
type secrets struct {
	mu    sync.Mutex
	begin map[[prefix]byte][]secret
	n     int
}

// prefix is how much of a secret is looked up; none is shorter.
const prefix = 12

// secret is a text and whose it is.
type secret struct{ text, whose string }

// add notes a secret. Short ones would be found by chance and are not taken.
func (s *secrets) add(text, whose string) {
	if len(text) < prefix {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begin == nil {
		s.begin = make(map[[prefix]byte][]secret)
	}
	key := [prefix]byte([]byte(text[:prefix]))
	s.begin[key] = append(s.begin[key], secret{text, whose})
	s.n++
}

// addToken notes claims and signature of a token; its header is no secret, and
// many share it.
func (s *secrets) addToken(token, whose string) {
	for i, part := range strings.Split(token, ".") {
		if i > 0 && strings.Trim(part, "A") != "" { // a signature of zeros is none
			s.add(part, "the token of "+whose)
		}
	}
}

// found is a secret and where it stands.
type found struct {
	secret
	at int
}

// in returns the secrets in a text, each once.
func (s *secrets) in(text string) []found {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []found
	seen := make(map[string]bool)
	for i := 0; i+prefix <= len(text); i++ {
		for _, c := range s.begin[[prefix]byte([]byte(text[i:i+prefix]))] {
			if !seen[c.text] && strings.HasPrefix(text[i:], c.text) {
				seen[c.text] = true
				all = append(all, found{c, i})
			}
		}
	}
	return all
}

// len is how many secrets there are.
func (s *secrets) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}
