package routing

import "strings"

// A glob is a pattern in which `*` stands for any bytes, also none and also
// `/`, and everything else for itself. Case matters.
type glob struct {
	text string
	// parts are the literals between the stars: text is exact if there is one.
	parts []string
}

func compileGlob(text string) glob {
	return glob{text: text, parts: strings.Split(text, "*")}
}

// exact reports whether the pattern spells out one name.
func (g glob) exact() bool { return len(g.parts) == 1 }

// match reports whether the whole name fits. It does not allocate: each middle
// literal takes its leftmost place, which leaves the most for those behind it.
func (g glob) match(name string) bool {
	if g.exact() {
		return name == g.text
	}
	first, last := g.parts[0], g.parts[len(g.parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	rest := name[len(first) : len(name)-len(last)]
	for _, part := range g.parts[1 : len(g.parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return true
}

func isGlob(word string) bool { return strings.Contains(word, "*") }

// maxName is the longest name in bytes that a table looks up or learns.
const maxName = 256

// validName reports whether a model may be called that: the bytes of
// `[A-Za-z0-9._:/@+-]`, at most 256, and no URL.
func validName(name string) bool {
	if name == "" || len(name) > maxName || strings.Contains(name, "://") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("._:/@+-", c) >= 0:
		default:
			return false
		}
	}
	return true
}
