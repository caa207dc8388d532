package jsonbody

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns the text of the string at v of a scanned body. Halves of
// surrogate pairs that stand alone read as U+FFFD, as encoding/json has it.
func Text(body []byte, v Span) (string, error) {
	if v.Start < 0 || v.End > len(body) || v.End-v.Start < 2 || body[v.Start] != '"' {
		return "", fmt.Errorf("no JSON string at byte %d", v.Start)
	}
	text, _ := unescape(nil, body[v.Start+1:v.End-1])
	return string(text), nil
}

// HasPrefix reports whether the text of the string at v of a scanned body begins
// with prefix, which is ASCII. It reads no more of the string than that: texts
// are long.
func HasPrefix(body []byte, v Span, prefix string) bool {
	raw := body[v.Start+1 : v.End-1]
	for i := range len(prefix) {
		switch {
		case len(raw) == 0:
			return false
		case raw[0] != '\\':
			if raw[0] != prefix[i] {
				return false
			}
			raw = raw[1:]
		case raw[1] != 'u':
			if unescaped(raw[1]) != prefix[i] {
				return false
			}
			raw = raw[2:]
		default:
			if unit(raw[2:]) != rune(prefix[i]) {
				return false
			}
			raw = raw[6:]
		}
	}
	return true
}

// unescape appends the text of a valid string's interior to dst. whole is false
// if half of a surrogate pair stood alone and became U+FFFD.
func unescape(dst, raw []byte) (text []byte, whole bool) {
	whole = true
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		i++
		if raw[i] != 'u' {
			dst = append(dst, unescaped(raw[i]))
			continue
		}
		r := unit(raw[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			low := rune(-1)
			if next := raw[i+1:]; len(next) >= 6 && next[0] == '\\' && next[1] == 'u' {
				low = unit(next[2:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 6
			} else {
				whole = false
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, whole
}

// unescaped is the byte that a one-letter escape means.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unit reads the four digits of a \u escape.
func unit(hex []byte) rune {
	var r rune
	for _, c := range hex[:4] {
		r = r<<4 | rune(hexDigit[c])
	}
	return r
}

// AppendQuote appends s as a JSON string. Only what JSON demands is escaped:
// no HTML, no U+2028. Bytes that are no UTF-8 become U+FFFD.
func AppendQuote(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		case r < utf8.RuneSelf:
			dst = append(dst, s[i])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
