package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

type conn struct {
	c     net.Conn
	r     *bufio.Reader
	body  []byte
	out   []byte
	model string // the last model seen on this connection, and its counter
	count *atomic.Int64
	req   request
}

type request struct {
	method, path string
	old, close   bool // HTTP/1.0; the client asked for close
}

func serve(nc net.Conn) {
	c := &conn{c: nc, r: bufio.NewReaderSize(nc, 16<<10)}
	defer nc.Close()
	for {
		if err := c.read(); err != nil {
			return
		}
		if err := c.answer(); err != nil || c.req.close {
			return
		}
	}
}

func (c *conn) line() ([]byte, error) {
	b, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(b, "\r\n"), nil
}

func header(l []byte, name string) ([]byte, bool) {
	if len(l) > len(name) && l[len(name)] == ':' && strings.EqualFold(string(l[:len(name)]), name) {
		return bytes.TrimSpace(l[len(name)+1:]), true
	}
	return nil, false
}

func (c *conn) read() error {
	l, err := c.line()
	if err != nil {
		return err
	}
	p := bytes.SplitN(l, []byte(" "), 3)
	if len(p) != 3 {
		return errors.New("bad request line")
	}
	c.req = request{method: string(p[0]), path: string(p[1]), old: string(p[2]) == "HTTP/1.0"}
	c.req.close = c.req.old
	if i := strings.IndexByte(c.req.path, '?'); i >= 0 {
		c.req.path = c.req.path[:i]
	}
	length, chunked := 0, false
	for {
		if l, err = c.line(); err != nil {
			return err
		}
		if len(l) == 0 {
			break
		}
		switch l[0] | 0x20 {
		case 'c':
			if v, ok := header(l, "content-length"); ok {
				if length, err = strconv.Atoi(string(v)); err != nil || length < 0 || length > 64<<20 {
					return errors.New("bad length")
				}
			} else if v, ok := header(l, "connection"); ok {
				if strings.EqualFold(string(v), "close") {
					c.req.close = true
				} else if strings.EqualFold(string(v), "keep-alive") {
					c.req.close = false
				}
			}
		case 't':
			if v, ok := header(l, "transfer-encoding"); ok {
				chunked = strings.EqualFold(string(v), "chunked")
			}
		case 'e':
			if _, ok := header(l, "expect"); ok {
				if _, err := io.WriteString(c.c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
					return err
				}
			}
		}
	}
	c.body = c.body[:0]
	if !chunked {
		return c.fill(length)
	}
	for {
		if l, err = c.line(); err != nil {
			return err
		}
		if i := bytes.IndexByte(l, ';'); i >= 0 {
			l = l[:i]
		}
		n, err := strconv.ParseUint(string(l), 16, 26)
		if err != nil {
			return err
		}
		if err := c.fill(int(n)); err != nil {
			return err
		}
		if l, err = c.line(); err != nil || n == 0 {
			return err
		}
	}
}

func (c *conn) fill(n int) error {
	have := len(c.body)
	if cap(c.body) < have+n {
		b := make([]byte, have, have+n)
		copy(b, c.body)
		c.body = b
	}
	c.body = c.body[:have+n]
	_, err := io.ReadFull(c.r, c.body[have:])
	return err
}
