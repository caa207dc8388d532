package sse

import (
	"bytes"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// holdLimit bounds the unfinished frame that a [Meter] holds back, in bytes. A
// longer frame passes as it comes.
const holdLimit = 1 << 20

// keepLimit is the capacity above which a buffer that is empty again is
// dropped, so that one big frame does not stay with an idle stream.
const keepLimit = 4 << 10

// Meter watches one stream that passes in its own dialect. It holds back the
// frame that is not complete yet: no client could use it, and so the stream
// can be ended, or a ping written, between two frames at any time.
//
// From the frame on in which the backend reports an error nothing passes; the
// caller decides how the client hears of it.
//
// The zero value is not ready: call [Meter.Reset].
type Meter struct {
	dialect   dialect.Dialect
	hideUsage bool
	cut       cutter
	held      []byte // the frame under way
	spare     []byte // the other buffer: what Feed returned may lie there
	loose     bool   // a frame beyond holdLimit is passing unseen
	begun     bool   // the first frame is through: no byte order mark any more
	started   bool   // message_start was seen
	content   bool
	ended     bool
	failed    bool
	failure   []byte
	stop      string
	usage     Usage
	chunk     pattern
}

// Reset prepares m for a new stream and keeps its buffers. With hideUsage the
// chunk that only brings usage (`"choices":[]`) is read and withheld: it exists
// because the gateway asked for it, not the client.
func (m *Meter) Reset(d dialect.Dialect, hideUsage bool) {
	held, spare := keep(m.held), keep(m.spare)
	*m = Meter{dialect: d, hideUsage: hideUsage, held: held, spare: spare}
}

// Feed takes the next piece of the stream and returns what may pass now, to be
// sent in this order: head is the frame that earlier pieces had begun, rest is
// most often a part of p itself. Both are valid until the next call.
func (m *Meter) Feed(p []byte) (head, rest []byte) {
	if m.failed {
		return nil, nil
	}
	m.spare = keep(m.spare)
	from := 0
	if m.loose {
		if from = m.cut.next(p); from < 0 {
			return nil, p
		}
		m.loose = false
	} else if len(m.held) > 0 {
		head, p = m.complete(p)
		if p == nil {
			return head, nil
		}
	}
	return head, m.frames(p, from)
}

// complete adds p to the frame that is held. If that completes it, it returns
// the frame, or nothing where it may not pass, and what is left of p.
func (m *Meter) complete(p []byte) (frame, left []byte) {
	end := m.cut.next(p)
	if end < 0 {
		m.held = append(m.held, p...)
		return m.releaseLong(), nil
	}
	frame = append(m.held, p[:end]...)
	m.held, m.spare = m.spare[:0], frame
	if !m.judge(frame) {
		frame = nil
	}
	if m.failed {
		return nil, nil
	}
	return frame, p[end:]
}

// frames judges the frames that end in p[from:] and returns the bytes that may
// pass; p[:from] passes with them. What is left of p is held.
func (m *Meter) frames(p []byte, from int) []byte {
	var copied []byte // what passes, once a frame in the middle does not
	start, pass := from, 0
	for {
		n := m.cut.next(p[start:])
		if n < 0 {
			break
		}
		end := start + n
		if !m.judge(p[start:end]) {
			copied = append(copied, p[pass:start]...)
			pass = end
		}
		if m.failed {
			return copied
		}
		start = end
	}
	if string(p[start:]) == "\n" {
		start++ // of the CRLF that ended a frame: alone it begins no other
	}
	out := p[pass:start]
	if copied != nil {
		out = append(copied, out...)
	}
	m.held = append(m.held, p[start:]...)
	if long := m.releaseLong(); long != nil {
		out = append(out[:len(out):len(out)], long...)
	}
	return out
}

// releaseLong lets a frame go that is too long to hold. What its beginning
// says is taken; its end passes unseen.
func (m *Meter) releaseLong() []byte {
	if len(m.held) <= holdLimit {
		return nil
	}
	m.judge(m.held)
	long := m.held
	m.held = nil
	if m.failed {
		return nil
	}
	m.loose = true
	return long
}

// Close tells that the stream ended by itself and returns what may still pass:
// a last frame that is whole but for its blank line, which is added.
func (m *Meter) Close() []byte {
	if m.failed || len(m.held) == 0 {
		return nil
	}
	ev := m.event(m.held)
	if !whole(ev.Data) && !isDone(ev.Data) {
		return nil
	}
	frame := m.held
	m.held = nil
	if m.cut.inLine {
		frame = append(frame, '\n')
	}
	frame = append(frame, '\n')
	if !m.judge(frame) {
		return nil
	}
	return frame
}

// judge reads what one frame says and reports whether it may pass.
func (m *Meter) judge(frame []byte) bool {
	if m.content && m.ordinary(frame) {
		return true
	}
	ev := m.event(frame)
	m.begun = true
	if ev.Data == nil {
		return true
	}
	if m.dialect == dialect.Anthropic {
		m.judgeAnthropic(ev)
		return !m.failed
	}
	pass := m.judgeOpenAI(ev, frame)
	return pass && !m.failed
}

// ordinary reports whether a frame can only bring more content, without
// reading it.
func (m *Meter) ordinary(frame []byte) bool {
	if m.dialect == dialect.Anthropic {
		return bytes.HasPrefix(frame, deltaEvent)
	}
	return m.chunk.matches(frame)
}

func (m *Meter) event(frame []byte) Event {
	if !m.begun {
		frame = bytes.TrimPrefix(frame, byteOrderMark)
	}
	ev, _ := parse(frame, nil)
	return ev
}

// Content reports whether the model has said anything yet: text, reasoning, or
// the beginning of a tool call.
func (m *Meter) Content() bool { return m.content }

// Ended reports whether the answer is complete: the stream's end marker was
// seen, or a stop reason, behind which only usage and the marker can follow.
func (m *Meter) Ended() bool { return m.ended && !m.failed }

// Failed reports whether the backend itself said that the answer failed, and
// returns the data of that frame. Data is nil where there is no message: vLLM
// ends the streams of a server that is going down with the stop reason abort.
func (m *Meter) Failed() ([]byte, bool) { return m.failure, m.failed }

// AtBoundary reports whether what passed so far ends with a whole frame. It is
// false only inside a frame of more than 1 MiB.
func (m *Meter) AtBoundary() bool { return !m.loose }

// Usage returns what the backend counted so far.
func (m *Meter) Usage() Usage { return m.usage }

// StopReason returns the dialect's own word for why the model stopped, empty
// before it did.
func (m *Meter) StopReason() string { return m.stop }

// AppendPing appends what keeps the stream alive at this point of it.
func (m *Meter) AppendPing(dst []byte) []byte {
	if m.dialect == dialect.Anthropic && !m.started {
		return AppendComment(dst)
	}
	return AppendPing(dst, m.dialect)
}

// AppendCut appends what ends a frame of which a part has passed, so that
// another event can follow. The part must not be taken for an event: as an
// Anthropic frame it becomes a ping, which the SDKs skip without reading its
// data (the last event field of a frame counts). Chat completions have no such
// way out; there the client's parser fails at the part, and that is right.
func (m *Meter) AppendCut(dst []byte) []byte {
	if !m.loose {
		return dst
	}
	if m.cut.inLine {
		dst = append(dst, '\n')
	}
	if m.dialect == dialect.Anthropic {
		dst = append(dst, "event: ping\n"...)
	}
	return append(dst, '\n')
}

func (m *Meter) fail(data []byte) {
	m.failed = true
	m.failure = bytes.Clone(data)
	m.held = nil
}

// keep empties a buffer, and drops it where it has grown large.
func keep(b []byte) []byte {
	if cap(b) > keepLimit {
		return nil
	}
	return b[:0]
}
