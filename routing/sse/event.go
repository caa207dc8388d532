package sse

import "bytes"

var byteOrderMark = []byte("\xef\xbb\xbf")

// parse reads the fields of one frame. Data lies inside frame where it has one
// data line; several are joined in join, which is returned for the next call.
func parse(frame, join []byte) (ev Event, joined []byte) {
	lines := 0
	for len(frame) > 0 {
		var line []byte
		line, frame = cutLine(frame)
		name, value := field(line)
		switch string(name) {
		case "event":
			ev.Name = value
		case "data":
			lines++
			ev.Data, join = addData(ev.Data, value, join, lines)
		}
	}
	return ev, join
}

// addData adds the data line number n to what came before it. The first line
// is only referred to, so that a frame of one line costs no copy.
func addData(data, value, join []byte, n int) (sum, buf []byte) {
	if n == 1 {
		return value, join
	}
	if n == 2 {
		join = append(join[:0], data...)
	}
	join = append(join, '\n')
	join = append(join, value...)
	return join, join
}

// cutLine splits p behind its first line; line is without its end.
func cutLine(p []byte) (line, rest []byte) {
	i := lineEnd(p)
	if i < 0 {
		return p, nil
	}
	rest = p[i+1:]
	if p[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return p[:i], rest
}

// field splits a line at its colon; one blank behind the colon is no part of
// the value. A comment has an empty name.
func field(line []byte) (name, value []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return line, line[len(line):]
	}
	value = line[i+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return line[:i], value
}
