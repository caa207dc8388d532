package sse

import "bytes"

// object walks the members of a JSON object without decoding them. It expects
// JSON as backends write it: what is not well formed ends the walk, and keys
// are compared as they are spelled.
type object struct {
	b []byte
	i int
}

// members starts a walk over b, which begins with the object's brace. Anything
// else has no members.
func members(b []byte) object {
	if len(b) == 0 || b[0] != '{' {
		return object{}
	}
	return object{b: b, i: 1}
}

// next returns the next member: its key without quotes and its value as it is
// spelled, both parts of the walked bytes.
func (o *object) next() (key, value []byte, ok bool) {
	i := separator(o.b, o.i)
	if i >= len(o.b) || o.b[i] != '"' {
		return nil, nil, false
	}
	end := skip(o.b, i)
	if end < 0 {
		return nil, nil, false
	}
	key = o.b[i+1 : end-1]
	i = separator(o.b, end)
	if end = skip(o.b, i); end < 0 {
		return nil, nil, false
	}
	o.i = end
	return key, o.b[i:end], true
}

// array walks the elements of a JSON array.
type array struct {
	b []byte
	i int
}

func elements(b []byte) array {
	if len(b) == 0 || b[0] != '[' {
		return array{}
	}
	return array{b: b, i: 1}
}

func (a *array) next() (value []byte, ok bool) {
	i := separator(a.b, a.i)
	if i >= len(a.b) || a.b[i] == ']' {
		return nil, false
	}
	end := skip(a.b, i)
	if end < 0 {
		return nil, false
	}
	a.i = end
	return a.b[i:end], true
}

// separator returns the index of the first byte from i that is neither white
// space nor a comma or colon.
func separator(b []byte, i int) int {
	for i < len(b) && (blank(b[i]) || b[i] == ',' || b[i] == ':') {
		i++
	}
	return i
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// skip returns the index behind the value that starts at i, or -1 if the value
// is cut off.
func skip(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	case '}', ']':
		return -1
	}
	for i < len(b) && !blank(b[i]) && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// skipString jumps from quote to quote; one that an odd number of backslashes
// precedes does not end the string.
func skipString(b []byte, i int) int {
	for i++; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		escapes := 0
		for escapes < n && b[i+n-1-escapes] == '\\' {
			escapes++
		}
		i += n + 1
		if escapes%2 == 0 {
			return i
		}
	}
}

// member returns the value of the first member with this key, nil if absent.
func member(b []byte, key string) []byte {
	o := members(b)
	for k, v, ok := o.next(); ok; k, v, ok = o.next() {
		if string(k) == key {
			return v
		}
	}
	return nil
}

// text returns the inside of a string value as it is spelled, nil for any
// other value.
func text(v []byte) []byte {
	if len(v) < 2 || v[0] != '"' {
		return nil
	}
	return v[1 : len(v)-1]
}

// empty reports a value that carries nothing: absent, null, "", [] or {}.
func empty(v []byte) bool {
	switch string(v) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

// whole reports whether data is one JSON object to its last byte.
func whole(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 0 && data[0] == '{' && skip(data, 0) == len(data)
}
