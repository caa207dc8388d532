package jsonbody

import "bytes"

// Scan reads the whole body and fills f with what it found. It returns an
// [*Error] if the body is not exactly one JSON object that every parser reads
// the same way; f is then of no use.
func Scan(body []byte, f *Facts) error {
	f.reset()
	s := scanner{b: body}
	i := s.open()
	if i >= 0 {
		if err := s.members(i, f); err != nil {
			return err
		}
		i = s.end()
	}
	if i < 0 {
		return &Error{Code: s.code, Offset: s.at}
	}
	if f.Model == "" {
		return &Error{Code: NoModel, Member: "model", Offset: i}
	}
	return nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// open finds the body's object and stops behind its brace.
func (s *scanner) open() int {
	i := s.space(0)
	switch {
	case i == len(s.b):
		return s.fail(Empty, i)
	case bytes.HasPrefix(s.b, byteOrderMark):
		return s.fail(BOM, 0)
	case s.b[i] == '{':
		s.depth = 1
		return i + 1
	case s.value(i) < 0:
		return -1
	}
	return s.fail(NotObject, i)
}

// members scans the top-level members and takes the facts from them. A nil
// result leaves s.at behind the closing brace.
func (s *scanner) members(i int, f *Facts) error {
	if i = s.space(i); i < len(s.b) && s.b[i] == '}' {
		s.at = i + 1
		return nil
	}
	for {
		m, end := s.member(i)
		if end < 0 {
			return &Error{Code: s.code, Offset: s.at}
		}
		if err := f.take(s.b, m); err != nil {
			return err
		}
		if i = s.space(end); i < len(s.b) && s.b[i] == ',' {
			i = s.space(i + 1)
			continue
		}
		if i < len(s.b) && s.b[i] == '}' {
			s.at = i + 1
			return nil
		}
		s.fail(NotJSON, i)
		return &Error{Code: s.code, Offset: s.at}
	}
}

// member scans one member that begins at i and says where it ends, or -1.
func (s *scanner) member(i int) (m Member, end int) {
	m.Name.Start = i
	if m.Name.End = s.name(i); m.Name.End < 0 {
		return m, -1
	}
	if m.Value.Start = s.colon(m.Name.End); m.Value.Start < 0 {
		return m, -1
	}
	if m.Value.End = s.value(m.Value.Start); m.Value.End < 0 {
		return m, -1
	}
	m.Kind = kindOf(s.b[m.Value.Start])
	return m, m.Value.End
}

// end checks that nothing follows the object.
func (s *scanner) end() int {
	i := s.space(s.at)
	if i < len(s.b) {
		return s.fail(Trailing, i)
	}
	return i
}

// kindOf tells the kind of a valid value from its first byte.
func kindOf(c byte) Kind {
	switch c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't':
		return True
	case 'f':
		return False
	case 'n':
		return Null
	}
	return Number
}
