package respw

import "bytes"

var (
	byteOrderMark = []byte("\xef\xbb\xbf")
	streamStarts  = [...][]byte{[]byte("data:"), []byte("event:"), []byte(":"), []byte("id:"), []byte("retry:")}
)

// open takes the first bytes of a success whose headers announce no stream.
// Where the client asked for one, what the body looks like decides.
func (w *Writer) open(p []byte) error {
	if !w.opts.Stream || w.header.Get("Content-Encoding") != "" {
		return w.becomePlain(p)
	}
	if w.held != nil {
		w.held.data = append(w.held.data, p...)
		p = w.held.data
	}
	stream, sure := looksLikeStream(p)
	if !sure {
		if w.held == nil {
			w.held = take(&holds)
			w.held.data = append(w.held.data, p...)
		}
		return nil
	}
	begin := w.held
	w.held = nil
	defer begin.free(&holds)
	if stream {
		w.relabel = true
		w.hold()
		return w.writeStream(p)
	}
	return w.becomePlain(p)
}

// looksLikeStream tells an event stream by its first field or comment. It is
// not sure while the bytes could still become one.
func looksLikeStream(p []byte) (stream, sure bool) {
	const enough = 64
	text := bytes.TrimPrefix(p[:min(len(p), enough)], byteOrderMark)
	text = bytes.TrimLeft(text, " \t\r\n")
	open := bytes.HasPrefix(byteOrderMark, text)
	for _, start := range streamStarts {
		if bytes.HasPrefix(text, start) {
			return true, true
		}
		open = open || bytes.HasPrefix(start, text)
	}
	return false, !open || len(p) >= enough
}

// becomePlain sends status and headers with the first bytes of the body.
func (w *Writer) becomePlain(p []byte) error {
	w.state = plain
	w.first = w.opts.Now()
	w.tail = take(&tails)
	w.commit()
	return w.writePlain(p)
}

func (w *Writer) writePlain(p []byte) error {
	b := p[max(len(p)-tailLimit, 0):]
	if keep := w.tail.data; len(keep)+len(b) > 2*tailLimit {
		n := copy(keep, keep[len(keep)-tailLimit:])
		w.tail.data = keep[:n]
	}
	w.tail.data = append(w.tail.data, b...)
	return w.send(p)
}
