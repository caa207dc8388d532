package main

import (
	"fmt"
	"strconv"
	"time"
)

// event appends one chunk (or, for HTTP/1.0, the bare bytes) to c.out.
func (c *conn) event(format string, a ...any) {
	b := fmt.Appendf(nil, format, a...)
	if c.req.old {
		c.out = append(c.out, b...)
		return
	}
	c.out = strconv.AppendInt(c.out, int64(len(b)), 16)
	c.out = append(append(append(c.out, "\r\n"...), b...), "\r\n"...)
}

func (c *conn) send() error {
	_, err := c.c.Write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *conn) stream(openai bool, n, gap int) error {
	stats.streams.Add(1)
	c.out = append(c.out[:0], "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"...)
	if c.req.old {
		c.req.close = true
	} else {
		c.out = append(c.out, "Transfer-Encoding: chunked\r\n"...)
	}
	if c.req.close {
		c.out = append(c.out, "Connection: close\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	fill := text(*pad)
	var pre, post string
	if openai {
		pre = `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[{"index":0,"delta":{"content":"`
		post = `"},"finish_reason":null}]}` + "\n\n"
		c.event("%s", `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n")
	} else {
		pre = `event: content_block_delta` + "\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`
		post = `"}}` + "\n\n"
		c.event("%s", "event: message_start\n"+`data: {"type":"message_start","message":{"id":"msg_mock","type":"message","role":"assistant","model":"mock","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":1}}}`+"\n\n")
		c.event("%s", "event: content_block_start\n"+`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`+"\n\n")
	}
	if err := c.send(); err != nil {
		return err
	}
	size := len(pre) + len("@T1234567890123456789@ ") + len(fill) + len(post)
	head := strconv.FormatInt(int64(size), 16) + "\r\n"
	for i := 0; i < n; i++ {
		if gap > 0 && i > 0 {
			time.Sleep(time.Duration(gap) * time.Millisecond)
		}
		if !c.req.old {
			c.out = append(c.out, head...)
		}
		c.out = append(append(c.out, pre...), "@T"...)
		c.out = strconv.AppendInt(c.out, time.Now().UnixNano(), 10)
		c.out = append(append(append(c.out, "@ "...), fill...), post...)
		if !c.req.old {
			c.out = append(c.out, "\r\n"...)
		}
		if err := c.send(); err != nil {
			return err
		}
	}
	stats.events.Add(int64(n))
	if openai {
		c.event("%s", `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}`+"\n\n")
		c.event("%s", "data: [DONE]\n\n")
	} else {
		c.event("%s", "event: content_block_stop\n"+`data: {"type":"content_block_stop","index":0}`+"\n\n")
		c.event("%s", "event: message_delta\n"+`data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":34}}`+"\n\n")
		c.event("%s", "event: message_stop\n"+`data: {"type":"message_stop"}`+"\n\n")
	}
	if !c.req.old {
		c.out = append(c.out, "0\r\n\r\n"...)
	}
	return c.send()
}
