package sse

import "bytes"

// judgeOpenAI reads one chunk of a chat completion and reports whether it may
// pass, unless it failed.
func (m *Meter) judgeOpenAI(ev Event, frame []byte) bool {
	if isDone(ev.Data) {
		m.ended = true
		return true
	}
	if string(ev.Name) == "error" {
		m.fail(ev.Data)
		return false
	}
	var choices, usage []byte
	o := members(ev.Data)
	for k, v, ok := o.next(); ok; k, v, ok = o.next() {
		switch string(k) {
		case "choices":
			choices = v
		case "usage":
			usage = v
		case "error":
			if !empty(v) {
				m.fail(ev.Data)
				return false
			}
		case "object":
			if string(v) == `"error"` { // vLLM before 0.10
				m.fail(ev.Data)
				return false
			}
		}
	}
	if !empty(usage) {
		m.usage.readOpenAI(usage)
	}
	m.readChoices(choices, frame, empty(usage))
	return !m.hideUsage || !empty(choices) || empty(usage)
}

func (m *Meter) readChoices(choices, frame []byte, noUsage bool) {
	var delta []byte
	n := 0
	a := elements(choices)
	for choice, ok := a.next(); ok; choice, ok = a.next() {
		n++
		o := members(choice)
		for k, v, ok := o.next(); ok; k, v, ok = o.next() {
			switch string(k) {
			case "delta":
				delta = v
				m.content = m.content || chunkHasContent(v)
			case "finish_reason":
				m.stopped(text(v))
			}
		}
	}
	if n == 1 && noUsage && m.content && m.stop == "" {
		m.chunk.learn(frame, delta)
	}
}

// chunkHasContent: any member of a delta but the role says something once it
// is not empty: content, reasoning (under any of its names), tool_calls,
// refusal, audio.
func chunkHasContent(delta []byte) bool {
	o := members(delta)
	for k, v, ok := o.next(); ok; k, v, ok = o.next() {
		if string(k) != "role" && !empty(v) {
			return true
		}
	}
	return false
}

// stopped notes why the model stopped. Some reasons mean that it did not stop
// by itself: vLLM's abort (the server goes down) and error, as routers have it.
func (m *Meter) stopped(reason []byte) {
	if len(reason) == 0 {
		return
	}
	m.stop = word(reason)
	if m.stop == "abort" || m.stop == "error" {
		m.fail(nil)
		return
	}
	m.ended = true
}

func isDone(data []byte) bool {
	return string(bytes.TrimSpace(data)) == "[DONE]"
}

// word returns the reason as a string, without allocating the common ones.
func word(b []byte) string {
	for _, s := range [...]string{
		"stop", "length", "tool_calls", "content_filter", "abort",
		"end_turn", "max_tokens", "tool_use", "stop_sequence", "refusal", "pause_turn",
	} {
		if string(b) == s {
			return s
		}
	}
	return string(b)
}
