package respw

import "github.com/openova-io/llm-gateway/routing/sse"

// Finish ends the answer: no ping and no write comes after it. aborted tells
// that the proxy gave up (it panicked with http.ErrAbortHandler), so that the
// body did not come to its end. What an orderly end still brings is sent. A
// second call only repeats the outcome.
func (w *Writer) Finish(aborted bool) Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(aborted)
	return w.outcome()
}

func (w *Writer) finish(aborted bool) {
	if w.finished {
		return
	}
	if w.timer != nil {
		// A timer that fired waits for the mutex, or did not set itself again:
		// only one that was stopped in time never calls any more.
		w.stale = !w.timer.Stop()
	}
	w.aborted = aborted
	if !aborted && w.err == nil {
		w.end()
	}
	w.finished = true
}

// end lets the rest of an orderly answer pass. Errors are in w.err and in the
// state already.
func (w *Writer) end() {
	switch w.state {
	case opening:
		if w.held != nil {
			begin := w.held
			w.held = nil
			_ = w.becomePlain(begin.data)
			begin.free(&holds)
		}
	case holding, passing:
		if rest := w.meter.Close(); len(rest) > 0 {
			_ = w.deliver(nil, rest)
		} else if _, broken := w.meter.Failed(); broken {
			w.state = failed
		}
	case waiting, captured, plain, failed:
	}
}

func (w *Writer) outcome() Outcome {
	o := Outcome{
		Status:     w.status,
		Committed:  w.committed,
		ClientGone: w.err != nil,
		FirstByte:  w.first,
		Bytes:      w.sent,
	}
	switch w.state {
	case captured:
		o.Captured, o.CapturedHeader = w.capture, w.header
	case opening:
		o.Empty = !w.body
	case plain:
		o.Content = true
		o.Complete = !w.aborted && w.err == nil
		o.Usage = sse.PlainUsage(w.tail.data, w.opts.Dialect)
	case holding, passing, failed:
		o.Stream = true
		o.Empty = !w.body
		o.Content = w.meter.Content()
		o.Complete = w.meter.Ended()
		o.Failure, o.Failed = w.meter.Failed()
		o.Usage = w.meter.Usage()
		o.StopReason = w.meter.StopReason()
	case waiting:
	}
	return o
}

// AppendError writes the event that ends a broken stream, and flushes it. What
// the client has so far ends with a whole event, so that this one is read. It
// is meant for the time after Finish, when the charge is settled: clients try
// again at once.
func (w *Writer) AppendError(event []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.committed || (w.state != passing && w.state != failed) {
		return ErrNotStreaming
	}
	if w.state == passing {
		event = append(w.meter.AppendCut(nil), event...)
	}
	w.state = failed
	if err := w.send(event); err != nil {
		return err
	}
	return w.flush()
}
