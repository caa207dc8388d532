package jsonbody

import "bytes"

// scanner walks one body. Its methods take the index of the next byte and
// return the index behind what they scanned, or -1 after fail. The index is
// passed and not kept, so that it stays in a register.
type scanner struct {
	b     []byte
	depth int
	code  Code // why it failed
	at    int  // where it failed
}

// fail notes why the scan ends. Running out of bytes is its own code wherever
// it happens.
func (s *scanner) fail(code Code, at int) int {
	if at >= len(s.b) && code == NotJSON {
		code = Truncated
	}
	s.code, s.at = code, min(at, len(s.b))
	return -1
}

// value scans one value that begins at i.
func (s *scanner) value(i int) int {
	if i >= len(s.b) {
		return s.fail(Truncated, i)
	}
	switch s.b[i] {
	case '"':
		return s.str(i + 1)
	case '{':
		return s.object(i + 1)
	case '[':
		return s.array(i + 1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number(i)
	}
	return s.fail(NotJSON, i)
}

// object scans the rest of an object whose brace stands before i.
func (s *scanner) object(i int) int {
	if s.depth++; s.depth > MaxDepth {
		return s.fail(TooDeep, i-1)
	}
	if i = s.space(i); i < len(s.b) && s.b[i] == '}' {
		s.depth--
		return i + 1
	}
	for {
		if i = s.name(i); i < 0 {
			return -1
		}
		if i = s.colon(i); i < 0 {
			return -1
		}
		if i = s.value(i); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) {
			return s.fail(Truncated, i)
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			s.depth--
			return i + 1
		default:
			return s.fail(NotJSON, i)
		}
	}
}

// name scans the name of a member.
func (s *scanner) name(i int) int {
	if i >= len(s.b) || s.b[i] != '"' {
		return s.fail(NotJSON, i)
	}
	return s.str(i + 1)
}

// colon scans what stands between name and value, and stops at the value.
func (s *scanner) colon(i int) int {
	if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
		return s.fail(NotJSON, i)
	}
	return s.space(i + 1)
}

// array scans the rest of an array whose bracket stands before i.
func (s *scanner) array(i int) int {
	if s.depth++; s.depth > MaxDepth {
		return s.fail(TooDeep, i-1)
	}
	if i = s.space(i); i < len(s.b) && s.b[i] == ']' {
		s.depth--
		return i + 1
	}
	for {
		if i = s.value(i); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) {
			return s.fail(Truncated, i)
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			s.depth--
			return i + 1
		default:
			return s.fail(NotJSON, i)
		}
	}
}

// space skips whitespace. Bodies are written without, so the first test
// decides nearly always.
func (s *scanner) space(i int) int {
	if i < len(s.b) && s.b[i] <= ' ' {
		return s.spaces(i)
	}
	return i
}

func (s *scanner) spaces(i int) int {
	for i < len(s.b) {
		switch s.b[i] {
		case ' ', '\n', '\r', '\t':
			i++
		default:
			return i
		}
	}
	return i
}

func (s *scanner) literal(i int, word string) int {
	if rest := s.b[i:]; len(rest) >= len(word) {
		if string(rest[:len(word)]) == word {
			return i + len(word)
		}
	} else if bytes.HasPrefix([]byte(word), rest) {
		return s.fail(Truncated, len(s.b))
	}
	return s.fail(NotJSON, i)
}

// number scans a number in JSON's own grammar: no plus, no leading zero, digits
// on both sides of the point.
func (s *scanner) number(i int) int {
	if s.b[i] == '-' {
		i++
	}
	if i < len(s.b) && s.b[i] == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return -1
	}
	if i < len(s.b) && s.b[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(s.b) && s.b[i]|0x20 == 'e' {
		i++
		if i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits scans one digit or more.
func (s *scanner) digits(i int) int {
	first := i
	for i < len(s.b) && s.b[i]-'0' <= 9 {
		i++
	}
	if i == first {
		return s.fail(NotJSON, i)
	}
	return i
}
