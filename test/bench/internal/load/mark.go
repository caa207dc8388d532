package load

import (
	"bytes"
	"strconv"
	"time"
)

const markLen = len("@T1234567890123456789@")

// scan finds the mock's send times in the stream; a mark cut in two by a read is
// completed from carry.
func (w *worker) scan(b []byte) {
	now := time.Now()
	rx := now.UnixNano()
	if len(w.carry) > 0 {
		b = append(w.carry, b...)
	}
	for {
		i := bytes.Index(b, []byte("@T"))
		if i < 0 {
			if len(b) > 0 && b[len(b)-1] == '@' {
				b = b[len(b)-1:]
			} else {
				b = nil
			}
			break
		}
		b = b[i:]
		if len(b) < markLen {
			break
		}
		if tx, err := strconv.ParseInt(string(b[2:markLen-1]), 10, 64); err == nil && b[markLen-1] == '@' {
			w.mark(now, rx, tx)
			b = b[markLen:]
		} else {
			b = b[2:]
		}
	}
	w.carry = append(w.carry[:0], b...)
}

func (w *worker) mark(now time.Time, rx, tx int64) {
	if !w.sawEvent {
		w.sawEvent = true
		if w.record {
			w.ttft.Add(int64(now.Sub(w.started)))
		}
		if w.held != nil {
			w.held()
		}
	}
	w.all++
	if w.record {
		w.events++
		w.event.Add(rx - tx)
		if w.lastTx != 0 {
			d := (rx - w.lastRx) - (tx - w.lastTx)
			if d < 0 {
				d = -d
			}
			w.jitter.Add(d)
		}
	}
	w.lastTx, w.lastRx = tx, rx
}
