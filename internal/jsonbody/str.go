package jsonbody

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Eight bytes at a time: a word with one value in each of its bytes.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special flags, in the high bit of each byte of x, the bytes that end a plain
// run: quote, backslash and control characters. Flipping bit 1 moves the quote
// (0x22) to 0x20, next to the controls, so that one subtraction finds both.
//
// A subtraction borrows from the byte above a flagged one, which may flag that
// byte wrongly ('#' after a quote, ']' after a backslash); the lowest flag is
// always right and bytes above 0x7f are never flagged.
func special(x uint64) uint64 {
	quoteOrControl := (x ^ 0x02*ones) - 0x21*ones
	backslash := (x ^ '\\'*ones) - ones
	return (quoteOrControl | backslash) &^ x & highs
}

// pack gathers the flags of special into the low eight bits, in byte order.
func pack(flags uint64) uint64 { return flags * 0x0002040810204081 >> 56 }

// block is what str looks at in one step, and the byte behind it, which the
// last byte may escape.
const block = 64

// short is how far str looks in words first: most names and keywords end there.
const short = 24

// str scans the rest of a string whose quote stands before i.
//
// Most of a body is the inside of long strings, full of escapes (code). Blocks
// follow each other at a fixed distance whatever they hold, so the processor
// works on the next while it waits for this one, and guesses wrong about once
// in a block and not at every escape. Bytes above 0x7f are only collected;
// whether they are UTF-8 is asked once, at the end of a string that has any.
func (s *scanner) str(i int) int { //nolint:gocognit // one loop, one branch for each kind of byte
	first := i
	var seen, skip uint64
	for ; i < first+short && i+8 <= len(s.b); i += 8 {
		x := binary.LittleEndian.Uint64(s.b[i:])
		seen |= x
		if m := special(x); m != 0 {
			if p := i + bits.TrailingZeros64(m)>>3; s.b[p] == '"' {
				return s.text(first, p, seen)
			}
			break
		}
	}
	for i+block < len(s.b) {
		w := (*[block + 1]byte)(s.b[i:])
		m, all := survey(w)
		seen |= all
		m &^= skip
		skip = 0
		for m != 0 {
			k := bits.TrailingZeros64(m)
			if w[k&63] == '\\' {
				if escapes[w[k&63+1]] != plainEscape && !s.escape(i+k+1) {
					return -1
				}
				m &^= 3 << (k & 63) // the escaped byte means nothing by itself
				skip = uint64(k+1) >> 6
				continue
			}
			if w[k&63] == '"' {
				return s.text(first, i+k, seen)
			}
			if w[k&63] < ' ' {
				return s.fail(NotJSON, i+k)
			}
			m &= m - 1
		}
		i += block
	}
	return s.tail(first, i+int(skip), seen)
}

// survey flags the special bytes of a block, and returns the bits that occur in
// it. Written out, it makes the scan a sixth faster than as a loop.
func survey(w *[block + 1]byte) (flags, all uint64) {
	x0, x1 := binary.LittleEndian.Uint64(w[0:]), binary.LittleEndian.Uint64(w[8:])
	x2, x3 := binary.LittleEndian.Uint64(w[16:]), binary.LittleEndian.Uint64(w[24:])
	x4, x5 := binary.LittleEndian.Uint64(w[32:]), binary.LittleEndian.Uint64(w[40:])
	x6, x7 := binary.LittleEndian.Uint64(w[48:]), binary.LittleEndian.Uint64(w[56:])
	flags = pack(special(x0)) | pack(special(x1))<<8 |
		pack(special(x2))<<16 | pack(special(x3))<<24 |
		pack(special(x4))<<32 | pack(special(x5))<<40 |
		pack(special(x6))<<48 | pack(special(x7))<<56
	return flags, x0 | x1 | x2 | x3 | x4 | x5 | x6 | x7
}

// tail scans the last few bytes of the body one by one.
func (s *scanner) tail(first, i int, seen uint64) int {
	for i < len(s.b) {
		c := s.b[i]
		seen |= uint64(c)
		switch {
		case c == '"':
			return s.text(first, i, seen)
		case c == '\\':
			if !s.escape(i + 1) {
				return -1
			}
			i += 2
		case c < ' ':
			return s.fail(NotJSON, i)
		default:
			i++
		}
	}
	return s.fail(Truncated, i)
}

// text ends a string whose interior is b[first:end]. seen holds the bits of
// all its bytes, and perhaps of some behind it.
func (s *scanner) text(first, end int, seen uint64) int {
	if seen&highs != 0 && !utf8.Valid(s.b[first:end]) {
		return s.notUTF8(first, end)
	}
	return end + 1
}

// notUTF8 looks for the place. It is reached once per refused body.
func (s *scanner) notUTF8(first, end int) int {
	for i := first; i < end; {
		r, n := utf8.DecodeRune(s.b[i:end])
		if r == utf8.RuneError && n == 1 {
			return s.fail(NotUTF8, i)
		}
		i += n
	}
	return s.fail(NotUTF8, first)
}

// escape checks what follows a backslash, at i.
func (s *scanner) escape(i int) bool {
	if i < len(s.b) {
		switch s.b[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return true
		case 'u':
			return s.hex(i + 1)
		}
	}
	s.fail(NotJSON, i)
	return false
}

// hex checks the four digits of a \u escape.
func (s *scanner) hex(i int) bool {
	for end := i + 4; i < end; i++ {
		if i >= len(s.b) || hexDigit[s.b[i]] == notHex {
			s.fail(NotJSON, i)
			return false
		}
	}
	return true
}

// escapes tells for each byte whether it may follow a backslash by itself.
const plainEscape = 1

var escapes = [256]uint8{
	'"': plainEscape, '\\': plainEscape, '/': plainEscape, 'b': plainEscape,
	'f': plainEscape, 'n': plainEscape, 'r': plainEscape, 't': plainEscape,
}

const notHex = 0xff

// hexDigit is the value of a hexadecimal digit, notHex for every other byte.
var hexDigit = func() (t [256]byte) {
	for i := range t {
		t[i] = notHex
	}
	for i := range 10 {
		t['0'+i] = byte(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = byte(10+i), byte(10+i)
	}
	return t
}()
