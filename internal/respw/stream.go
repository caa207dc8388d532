package respw

import "time"

// hold begins an event stream: nothing is sent before its first content, or
// before the time for that is over.
func (w *Writer) hold() {
	w.state = holding
	w.meter.Reset(w.opts.Dialect, w.opts.HideUsage)
	if w.opts.Hold > 0 {
		w.arm(w.opts.Hold)
	}
}

// writeStream lets the whole frames in p pass, or holds them. The frame that p
// leaves open stays with the meter.
func (w *Writer) writeStream(p []byte) error {
	head, rest := w.meter.Feed(p)
	return w.deliver(head, rest)
}

// deliver takes frames that may pass. What stands before an error frame is
// sent if the stream is under way; if not, the whole answer can still be
// another one.
func (w *Writer) deliver(head, rest []byte) error {
	w.last = w.opts.Now()
	if w.first.IsZero() && w.meter.Content() {
		w.first = w.last
	}
	_, broken := w.meter.Failed()
	if w.state == holding && !broken {
		if !w.due(len(head) + len(rest)) {
			w.keep(head, rest)
			return nil
		}
		head, rest = w.release(head, rest)
	}
	if w.state == passing {
		if err := w.send(head); err != nil {
			return err
		}
		if err := w.send(rest); err != nil {
			return err
		}
	}
	w.releaseHeld()
	if broken {
		w.state = failed
		return ErrUpstreamFailed
	}
	return nil
}

// due reports whether a held stream may go: the model spoke, the answer is
// over without a word, or n more bytes are too many to hold.
func (w *Writer) due(n int) bool {
	if w.held != nil {
		n += len(w.held.data)
	}
	return w.meter.Content() || w.meter.Ended() || n > holdLimit
}

func (w *Writer) keep(head, rest []byte) {
	if len(head)+len(rest) == 0 {
		return
	}
	if w.held == nil {
		w.held = take(&holds)
	}
	w.held.data = append(append(w.held.data, head...), rest...)
}

// release sends status and headers and returns what is to be written first:
// one piece where something was held.
func (w *Writer) release(head, rest []byte) (first, second []byte) {
	w.state = passing
	w.commit()
	if w.opts.Ping > 0 && (w.timer == nil || w.opts.Ping < w.opts.Hold) {
		w.arm(w.opts.Ping)
	}
	if w.held == nil {
		return head, rest
	}
	w.keep(head, rest)
	return w.held.data, nil
}

func (w *Writer) releaseHeld() {
	if w.state != holding {
		w.held.free(&holds)
		w.held = nil
	}
}

// arm sets the one timer of a stream. It is set again when it fires, never by
// a write: tick finds out how long it has been silent.
func (w *Writer) arm(d time.Duration) {
	switch {
	case w.timer != nil:
		w.timer.Reset(d)
	case w.opts.AfterFunc != nil:
		w.timer = w.opts.AfterFunc(d, w.tickFunc)
	default:
		w.timer = time.AfterFunc(d, w.tickFunc)
	}
}

// tick is the timer's call: the time to hold is over, or a ping may be due.
func (w *Writer) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished || w.err != nil {
		return
	}
	switch w.state {
	case holding:
		first, _ := w.release(nil, nil)
		w.ping(first)
		w.releaseHeld()
	case passing:
		silent := w.opts.Now().Sub(w.last)
		if silent < w.opts.Ping {
			w.arm(w.opts.Ping - silent)
			return
		}
		w.ping(nil)
	case waiting, captured, opening, plain, failed:
		return
	}
	if w.err == nil && w.opts.Ping > 0 {
		w.arm(w.opts.Ping)
	}
}

// ping writes a ping behind what is due before it, and flushes: no proxy's
// write is under way that would.
func (w *Writer) ping(before []byte) {
	w.last = w.opts.Now()
	if w.send(before) != nil {
		return
	}
	if w.opts.Ping > 0 && w.meter.AtBoundary() {
		var ping [64]byte
		if w.send(w.meter.AppendPing(ping[:0])) != nil {
			return
		}
	}
	// An error is kept in w.err, where the next write finds it.
	_ = w.flush()
}
