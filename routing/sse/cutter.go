package sse

import "bytes"

// cutter finds where frames end. A frame ends with a blank line; a line ends
// with LF, CRLF or CR, and any of these may be split between two pieces.
//
// The zero value stands at the start of a stream.
type cutter struct {
	inLine bool // the line under way has bytes already
	cr     bool // the last byte was CR: a following LF belongs to it
}

// next returns the index behind the first frame that ends in p, or -1 if none
// does; then all of p was consumed and the next piece continues here.
//
// A frame that ends in CR at the very end of p is complete: the LF that may
// follow is counted to the next frame, where it means nothing.
func (c *cutter) next(p []byte) int {
	i := 0
	for i < len(p) {
		if c.cr {
			c.cr = false
			if p[i] == '\n' {
				i++
				continue
			}
		}
		n := lineEnd(p[i:])
		if n < 0 {
			c.inLine = true
			return -1
		}
		blank := n == 0 && !c.inLine
		c.inLine = false
		i += n + 1
		if p[i-1] == '\r' {
			if i == len(p) {
				c.cr = true
			} else if p[i] == '\n' {
				i++
			}
		}
		if blank {
			return i
		}
	}
	return -1
}

// lineEnd returns the index of the first CR or LF in p, or -1.
func lineEnd(p []byte) int {
	lf := bytes.IndexByte(p, '\n')
	before := p
	if lf >= 0 {
		before = p[:lf]
	}
	if cr := bytes.IndexByte(before, '\r'); cr >= 0 {
		return cr
	}
	return lf
}
