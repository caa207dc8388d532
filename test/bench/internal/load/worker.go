package load

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"llmgwbench/internal/hist"
)

type worker struct {
	spec    *Spec
	addr    string
	tls     bool
	head    []byte // request line and headers, with the body after it
	c       net.Conn
	r       *bufio.Reader
	buf     []byte
	carry   []byte
	latency hist.H
	ttft    hist.H
	event   hist.H
	jitter  hist.H
	events  int64
	all     int64
	ok      int64
	total   int64
	errs    int64
	redials int64
	status  map[int]int64
	first   error
	record  bool

	started        time.Time
	sawEvent       bool
	lastTx, lastRx int64
	held           func()
}

func (w *worker) closeConn() {
	if w.c != nil {
		w.c.Close()
		w.c = nil
	}
}

func (w *worker) dial() error {
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", w.addr)
	if err != nil {
		return err
	}
	if w.tls {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) // loopback only
	}
	w.c = c
	if w.r == nil {
		w.r = bufio.NewReaderSize(c, 32<<10)
	} else {
		w.r.Reset(c)
	}
	w.redials++
	return nil
}

func (w *worker) one(intended, deadline time.Time) {
	if err := w.try(intended, deadline); err != nil {
		w.closeConn()
		w.errs++
		if w.first == nil {
			w.first = err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (w *worker) try(intended, deadline time.Time) error {
	if w.c == nil {
		if err := w.dial(); err != nil {
			return err
		}
	}
	w.c.SetDeadline(deadline)
	w.started, w.sawEvent, w.lastTx = time.Now(), false, 0
	w.carry = w.carry[:0]
	if _, err := w.c.Write(w.head); err != nil {
		return err
	}
	code, shut, err := w.response()
	if err != nil {
		return err
	}
	if shut {
		w.closeConn()
	}
	if w.record {
		w.status[code]++
	}
	if code != 200 {
		return fmt.Errorf("status %d: %.200s", code, w.buf[:min(len(w.buf), 200)])
	}
	w.total++
	if w.record {
		w.latency.Add(int64(time.Since(intended)))
		w.ok++
	}
	return nil
}
