package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

func (w *worker) response() (code int, shut bool, err error) {
	l, err := w.r.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if len(l) < 12 || !bytes.HasPrefix(l, []byte("HTTP/1.")) {
		return 0, false, fmt.Errorf("bad status line %.40q", l)
	}
	if code, err = strconv.Atoi(string(l[9:12])); err != nil {
		return 0, false, err
	}
	shut = l[7] == '0'
	length, chunked, sse := -1, false, false
	for {
		if l, err = w.r.ReadSlice('\n'); err != nil {
			return code, false, err
		}
		l = bytes.TrimRight(l, "\r\n")
		if len(l) == 0 {
			break
		}
		k, v, _ := bytes.Cut(l, []byte(":"))
		v = bytes.TrimSpace(v)
		switch strings.ToLower(string(k)) {
		case "content-length":
			if length, err = strconv.Atoi(string(v)); err != nil {
				return code, false, err
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(string(v), "chunked")
		case "connection":
			shut = shut || strings.EqualFold(string(v), "close")
		case "content-type":
			sse = bytes.HasPrefix(v, []byte("text/event-stream"))
		}
	}
	n := 0
	switch {
	case chunked:
		for {
			if l, err = w.r.ReadSlice('\n'); err != nil {
				return code, false, err
			}
			size, err := strconv.ParseUint(string(bytes.TrimSpace(l)), 16, 30)
			if err != nil {
				return code, false, err
			}
			if err := w.read(int(size), sse); err != nil {
				return code, false, err
			}
			n += int(size)
			if _, err := w.r.ReadSlice('\n'); err != nil { // CRLF after the chunk, or after the last one
				return code, false, err
			}
			if size == 0 {
				break
			}
		}
	case length >= 0:
		if err := w.read(length, sse); err != nil {
			return code, false, err
		}
		n = length
	default: // until close
		shut = true
		for {
			m, err := w.r.Read(w.buf)
			if sse && m > 0 {
				w.scan(w.buf[:m])
			}
			n += m
			if err == io.EOF {
				break
			}
			if err != nil {
				return code, false, err
			}
		}
	}
	if n == 0 && code == 200 {
		return code, shut, errors.New("empty body")
	}
	if sse && !w.sawEvent {
		return code, shut, errors.New("stream without an event of the mock's")
	}
	return code, shut, nil
}

func (w *worker) read(n int, sse bool) error {
	for n > 0 {
		m, err := w.r.Read(w.buf[:min(n, len(w.buf))])
		if err != nil {
			return err
		}
		if sse {
			w.scan(w.buf[:m])
		}
		n -= m
	}
	return nil
}
