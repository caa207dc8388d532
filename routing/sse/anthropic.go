package sse

var deltaEvent = []byte("event: content_block_delta\n")

// judgeAnthropic reads one event of the Messages API. Its name says what it is,
// so that the deltas behind the first content need not be read.
func (m *Meter) judgeAnthropic(ev Event) {
	name := ev.Name
	if len(name) == 0 {
		// The SDKs skip such a frame, but it may still be an error.
		name = text(member(ev.Data, "type"))
	}
	switch string(name) {
	case "content_block_delta":
		m.content = m.content || deltaHasContent(ev.Data)
	case "content_block_start":
		m.content = m.content || blockHasContent(ev.Data)
	case "message_start":
		m.started = true
		m.usage.readAnthropic(member(member(ev.Data, "message"), "usage"))
	case "message_delta":
		m.usage.readAnthropic(member(ev.Data, "usage"))
		m.stopped(text(member(member(ev.Data, "delta"), "stop_reason")))
	case "message_stop":
		m.ended = true
	case "error":
		m.fail(ev.Data)
	case "":
		if !empty(member(ev.Data, "error")) {
			m.fail(ev.Data)
		}
	}
}

// deltaHasContent: any delta that says something. A signature counts: the
// thinking before it may be hidden from the client, yet it took place.
func deltaHasContent(data []byte) bool {
	o := members(member(data, "delta"))
	for k, v, ok := o.next(); ok; k, v, ok = o.next() {
		if string(k) != "type" && !empty(v) {
			return true
		}
	}
	return false
}

// blockHasContent: text and thinking blocks open empty; any other kind says
// something by being there (a tool's name, redacted thinking, a result).
func blockHasContent(data []byte) bool {
	block := member(data, "content_block")
	switch string(text(member(block, "type"))) {
	case "text":
		return !empty(member(block, "text"))
	case "thinking":
		return !empty(member(block, "thinking"))
	case "":
		return false
	}
	return true
}
