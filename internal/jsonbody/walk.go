package jsonbody

import "iter"

// Elements yields the elements of the array at v, in order. v must lie in a
// body that [Scan] accepted; anything but an array yields nothing.
func Elements(body []byte, v Span) iter.Seq2[Span, Kind] {
	return func(yield func(Span, Kind) bool) {
		s := scanner{b: body[:v.End]}
		for i := s.first(v.Start, '['); i >= 0; i = s.following(i) {
			start := i
			if i = s.value(i); i < 0 || !yield(Span{start, i}, kindOf(body[start])) {
				return
			}
		}
	}
}

// Fields yields the members of the object at v, in order. v must lie in a body
// that [Scan] accepted; anything but an object yields nothing. Below the top
// level a name may come twice.
func Fields(body []byte, v Span) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		s := scanner{b: body[:v.End]}
		for i := s.first(v.Start, '{'); i >= 0; {
			m, end := s.member(i)
			if end < 0 || !yield(m) {
				return
			}
			i = s.following(end)
		}
	}
}

// Named reports whether m is the member of that name, however it is escaped.
func (m Member) Named(body []byte, name string) bool { return nameIs(body, m.Name, name) }

// first returns where the first child of the container at i begins, or -1.
func (s *scanner) first(i int, opening byte) int {
	if i >= len(s.b) || s.b[i] != opening {
		return -1
	}
	if i = s.space(i + 1); i >= len(s.b) || s.b[i] == ']' || s.b[i] == '}' {
		return -1
	}
	return i
}

// following returns where the next child begins, or -1 behind the last.
func (s *scanner) following(i int) int {
	if i = s.space(i); i >= len(s.b) || s.b[i] != ',' {
		return -1
	}
	return s.space(i + 1)
}
