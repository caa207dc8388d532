package sse

import (
	"bytes"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

// Usage is what an answer cost, in tokens, as the backend counted them. Input,
// CacheRead and CacheWrite are disjoint, as prices are: their sum is the whole
// prompt in either dialect.
type Usage struct {
	Input      int64 // prompt tokens neither read from a cache nor written to it
	Output     int64 // generated tokens, reasoning included
	CacheRead  int64
	CacheWrite int64
	Reasoning  int64 // the part of Output that was reasoning, where the backend says so
	Known      bool  // false: the backend said nothing, and all numbers are 0
}

// readAnthropic merges a usage object of the Messages API: message_start has
// the prompt, message_delta the rest, and the later number of a member wins.
func (u *Usage) readAnthropic(b []byte) {
	o := members(b)
	for k, v, ok := o.next(); ok; k, v, ok = o.next() {
		switch string(k) {
		case "input_tokens":
			u.set(&u.Input, v)
		case "output_tokens":
			u.set(&u.Output, v)
		case "cache_read_input_tokens":
			u.set(&u.CacheRead, v)
		case "cache_creation_input_tokens":
			u.set(&u.CacheWrite, v)
		}
	}
}

// readOpenAI reads a usage object of chat completions; the last one of a
// stream stands. prompt_tokens includes cached ones.
func (u *Usage) readOpenAI(b []byte) {
	next := Usage{}
	prompt := int64(0)
	o := members(b)
	for k, v, ok := o.next(); ok; k, v, ok = o.next() {
		switch string(k) {
		case "prompt_tokens":
			next.set(&prompt, v)
		case "completion_tokens":
			next.set(&next.Output, v)
		case "prompt_tokens_details":
			next.set(&next.CacheRead, member(v, "cached_tokens"))
			next.set(&next.CacheWrite, member(v, "created_cache_tokens"))
		case "completion_tokens_details":
			next.set(&next.Reasoning, member(v, "reasoning_tokens"))
		}
	}
	if next.Known {
		next.Input = max(prompt-next.CacheRead-next.CacheWrite, 0)
		*u = next
	}
}

// set stores v if it is a number of tokens: digits only, and not absurd.
func (u *Usage) set(field *int64, v []byte) {
	const most = 15 // digits: beyond any bill, far below overflow
	if len(v) == 0 || len(v) > most {
		return
	}
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' {
			return
		}
		n = n*10 + int64(c-'0')
	}
	*field, u.Known = n, true
}

// PlainUsage reads the usage of an answer that is one JSON object. tail is the
// answer, or its last bytes where it is long: every API writes usage behind
// the content. Text that quotes a usage object, and tool input that has one,
// is not taken for it.
func PlainUsage(tail []byte, d dialect.Dialect) Usage {
	var u Usage
	value := plainUsage(bytes.TrimSpace(tail))
	if d == dialect.Anthropic {
		u.readAnthropic(value)
	} else {
		u.readOpenAI(value)
	}
	return u
}

func plainUsage(tail []byte) []byte {
	if whole(tail) {
		return member(tail, "usage")
	}
	// A quote inside text is escaped, so an unescaped "usage" with a colon is
	// a key, even though the tail may begin in the middle of a string.
	key := []byte(`"usage"`)
	const tries = 16 // more keys of this name behind the real one is no answer of any API
	i := len(tail)
	for range tries {
		if i = bytes.LastIndex(tail[:i], key); i < 0 {
			return nil
		}
		colon := skipBlank(tail, i+len(key))
		if colon >= len(tail) || tail[colon] != ':' {
			continue
		}
		from := skipBlank(tail, colon+1)
		end := skip(tail, from)
		if end < 0 || !closesDocument(tail, end) {
			continue
		}
		return tail[from:end]
	}
	return nil
}

func skipBlank(b []byte, i int) int {
	for i < len(b) && blank(b[i]) {
		i++
	}
	return i
}

// closesDocument reports whether the rest of b from i holds members and then
// exactly the one brace that ends the document: then what stands before i is a
// member of the document itself, not of something inside it.
func closesDocument(b []byte, i int) bool {
	rest := object{b: b, i: i}
	for {
		if _, _, ok := rest.next(); !ok {
			break
		}
	}
	i = skipBlank(b, rest.i)
	return i == len(b)-1 && b[i] == '}'
}
