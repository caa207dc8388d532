// Package strictjson reads JSON in the one way that leaves no second reading:
// names are compared exactly, a name given twice is an error at every depth,
// and so are broken UTF-8, lone surrogates, a byte order mark and anything
// after the value.
//
// It knows nothing of tokens. It reads small documents whole: the caller
// bounds their size and passes the depth.
package strictjson

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// MaxDepth is a depth that no claim set needs and no stack minds.
const MaxDepth = 32

// Number is a JSON number as it was written.
type Number string

// Float returns the number; false where a float64 cannot hold its magnitude.
func (n Number) Float() (float64, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil
}

// The ways to be refused. None repeats the document: it may be a secret.
var (
	ErrSyntax    = errors.New("not valid JSON")
	ErrNotObject = errors.New("not a JSON object")
	ErrDepth     = errors.New("JSON nested too deeply")
	ErrDuplicate = errors.New("JSON name given twice")
	ErrText      = errors.New("JSON text is not valid UTF-8")
)

// Object reads one object. Values are map[string]any, []any, string, [Number],
// bool and nil; strings do not share memory with b. The outermost object has
// depth 1.
func Object(b []byte, depth int) (map[string]any, error) {
	r := reader{b: b}
	r.space()
	if r.peek() != '{' {
		return nil, ErrNotObject
	}
	v, err := r.object(depth)
	if err != nil {
		return nil, err
	}
	r.space()
	if r.i != len(b) {
		return nil, ErrSyntax
	}
	return v, nil
}

// reader is a position in a document. Every method starts at the first byte of
// what it reads and ends behind the last.
type reader struct {
	b []byte
	i int
}

// peek returns the next byte, 0 at the end (which no JSON token starts with).
func (r *reader) peek() byte {
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

func (r *reader) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return
		}
	}
}

func (r *reader) value(depth int) (any, error) {
	switch c := r.peek(); {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"':
		return r.text()
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case c == 't':
		return true, r.word("true")
	case c == 'f':
		return false, r.word("false")
	case c == 'n':
		return nil, r.word("null")
	default:
		return nil, ErrSyntax
	}
}

func (r *reader) word(w string) error {
	if len(r.b)-r.i < len(w) || string(r.b[r.i:r.i+len(w)]) != w {
		return ErrSyntax
	}
	r.i += len(w)
	return nil
}

func (r *reader) object(depth int) (map[string]any, error) {
	if depth <= 0 {
		return nil, ErrDepth
	}
	members := make(map[string]any, 8)
	r.i++
	r.space()
	if r.peek() == '}' {
		r.i++
		return members, nil
	}
	for {
		if err := r.member(members, depth); err != nil {
			return nil, err
		}
		if last, err := r.separator('}'); err != nil || last {
			return members, err
		}
	}
}

func (r *reader) member(members map[string]any, depth int) error {
	if r.peek() != '"' {
		return ErrSyntax
	}
	name, err := r.text()
	if err != nil {
		return err
	}
	if _, twice := members[name]; twice {
		return ErrDuplicate
	}
	r.space()
	if r.peek() != ':' {
		return ErrSyntax
	}
	r.i++
	r.space()
	members[name], err = r.value(depth - 1)
	return err
}

func (r *reader) array(depth int) ([]any, error) {
	if depth <= 0 {
		return nil, ErrDepth
	}
	items := []any{}
	r.i++
	r.space()
	if r.peek() == ']' {
		r.i++
		return items, nil
	}
	for {
		v, err := r.value(depth - 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		if last, err := r.separator(']'); err != nil || last {
			return items, err
		}
	}
}

// separator reads what follows an element: a comma, or the end.
func (r *reader) separator(end byte) (last bool, err error) {
	r.space()
	switch r.peek() {
	case end:
		r.i++
		return true, nil
	case ',':
		r.i++
		r.space()
		return false, nil
	default:
		return false, ErrSyntax
	}
}

// number reads -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
func (r *reader) number() (Number, error) {
	start := r.i
	if r.peek() == '-' {
		r.i++
	}
	if r.peek() == '0' {
		r.i++
	} else if !r.digits() {
		return "", ErrSyntax
	}
	if r.peek() == '.' {
		r.i++
		if !r.digits() {
			return "", ErrSyntax
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.i++
		if c := r.peek(); c == '+' || c == '-' {
			r.i++
		}
		if !r.digits() {
			return "", ErrSyntax
		}
	}
	return Number(r.b[start:r.i]), nil
}

func (r *reader) digits() bool {
	start := r.i
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.i++
	}
	return r.i > start
}

// text reads a string. Most have no escape and are copied as they stand.
func (r *reader) text() (string, error) {
	r.i++
	start := r.i
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c == '"':
			s := r.b[start:r.i]
			r.i++
			if !utf8.Valid(s) {
				return "", ErrText
			}
			return string(s), nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", ErrSyntax
		default:
			r.i++
		}
	}
	return "", ErrSyntax
}
