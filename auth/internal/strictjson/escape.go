package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escaped reads the rest of a string whose first escape is at r.i.
func (r *reader) escaped(start int) (string, error) {
	out := append(make([]byte, 0, 2*(r.i-start)+16), r.b[start:r.i]...)
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			if !utf8.Valid(out) {
				return "", ErrText
			}
			return string(out), nil
		case c < 0x20:
			return "", ErrSyntax
		case c != '\\':
			out = append(out, c)
			r.i++
		default:
			r.i++
			var err error
			if out, err = r.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", ErrSyntax
}

// escape appends what the escape behind a backslash means.
func (r *reader) escape(out []byte) ([]byte, error) {
	c := r.peek()
	r.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		u, err := r.codePoint()
		return utf8.AppendRune(out, u), err
	default:
		return out, ErrSyntax
	}
}

// codePoint reads the digits of \u, and a second \u where the first is half of
// a pair. A half alone has no reading that all parsers share.
func (r *reader) codePoint() (rune, error) {
	u, err := r.hex4()
	if err != nil || !utf16.IsSurrogate(u) {
		return u, err
	}
	if err := r.word(`\u`); err != nil {
		return 0, ErrText
	}
	low, err := r.hex4()
	if err != nil {
		return 0, err
	}
	if u = utf16.DecodeRune(u, low); u == utf8.RuneError {
		return 0, ErrText
	}
	return u, nil
}

func (r *reader) hex4() (rune, error) {
	if len(r.b)-r.i < 4 {
		return 0, ErrSyntax
	}
	var u rune
	for _, c := range r.b[r.i : r.i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, ErrSyntax
		}
		u = u<<4 | rune(c)
	}
	r.i += 4
	return u, nil
}
