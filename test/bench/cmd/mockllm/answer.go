package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// number reads "name=digits" out of the marker text, or gives the default.
func number(m []byte, name string, def int) int {
	i := bytes.Index(m, []byte(name+"="))
	if i < 0 {
		return def
	}
	n, ok := 0, false
	for _, d := range m[i+len(name)+1:] {
		if d < '0' || d > '9' {
			break
		}
		n, ok = n*10+int(d-'0'), true
	}
	if !ok {
		return def
	}
	return n
}

func (c *conn) plan() (n, gap, size int) {
	n, gap, size = 20, 0, 256
	if i := bytes.Index(c.body, []byte("[[mock ")); i >= 0 {
		if j := bytes.IndexByte(c.body[i:], ']'); j > 0 {
			m := c.body[i : i+j]
			n, gap, size = number(m, "n", n), number(m, "gap", gap), number(m, "size", size)
		}
	}
	return min(n, 100_000), min(gap, 3_600_000), min(size, 16<<20)
}

// noteModel counts the model named in the body, so that a run can check that a
// gateway really rewrote it.
func (c *conn) noteModel() {
	var m []byte
	if i := bytes.Index(c.body, []byte(`"model"`)); i >= 0 {
		rest := bytes.TrimLeft(c.body[i+7:], " :")
		if len(rest) > 0 && rest[0] == '"' {
			if j := bytes.IndexByte(rest[1:], '"'); j >= 0 {
				m = rest[1 : 1+j]
			}
		}
	}
	if string(m) != c.model || c.count == nil {
		c.model = string(m)
		n, _ := stats.byModel.LoadOrStore(c.model, new(atomic.Int64))
		c.count = n.(*atomic.Int64)
	}
	c.count.Add(1)
}

func (c *conn) json(status string, body []byte) error {
	o := append(c.out[:0], "HTTP/1.1 "...)
	o = append(o, status...)
	o = append(o, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	o = strconv.AppendInt(o, int64(len(body)), 10)
	if c.req.close {
		o = append(o, "\r\nConnection: close"...)
	}
	o = append(o, "\r\n\r\n"...)
	o = append(o, body...)
	c.out = o
	_, err := c.c.Write(o)
	return err
}

var textCache sync.Map // size -> string

func text(size int) string {
	if s, ok := textCache.Load(size); ok {
		return s.(string)
	}
	s := strings.Repeat("lorem ipsum dolor sit amet ", size/27+1)[:size]
	textCache.Store(size, s)
	return s
}

var answers sync.Map // kind+size -> []byte

func answerBody(openai bool, size int) []byte {
	type key struct {
		o bool
		n int
	}
	k := key{openai, size}
	if b, ok := answers.Load(k); ok {
		return b.([]byte)
	}
	var v any
	if openai {
		v = map[string]any{
			"id": "chatcmpl-mock", "object": "chat.completion", "created": 1700000000, "model": "mock",
			"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": text(size)}}},
			"usage":   map[string]any{"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46},
		}
	} else {
		v = map[string]any{
			"id": "msg_mock", "type": "message", "role": "assistant", "model": "mock",
			"content":     []any{map[string]any{"type": "text", "text": text(size)}},
			"stop_reason": "end_turn", "stop_sequence": nil, "usage": map[string]any{"input_tokens": 12, "output_tokens": 34},
		}
	}
	b, _ := json.Marshal(v)
	answers.Store(k, b)
	return b
}

func (c *conn) answer() error {
	p := strings.TrimSuffix(c.req.path, "/")
	switch {
	case strings.HasSuffix(p, "/messages/count_tokens"):
		return c.json("200 OK", []byte(`{"input_tokens":1234}`))
	case strings.HasSuffix(p, "/messages"), strings.HasSuffix(p, "/chat/completions"):
		stats.requests.Add(1)
		c.noteModel()
		openai := strings.HasSuffix(p, "/chat/completions")
		n, gap, size := c.plan()
		if bytes.Contains(c.body, []byte(`"stream":true`)) || bytes.Contains(c.body, []byte(`"stream": true`)) {
			return c.stream(openai, n, gap)
		}
		return c.json("200 OK", answerBody(openai, size))
	case strings.HasSuffix(p, "/models"):
		return c.json("200 OK", modelList())
	case p == "/__stats":
		models := map[string]int64{}
		stats.byModel.Range(func(k, n any) bool {
			models[k.(string)] = n.(*atomic.Int64).Load()
			return true
		})
		b, _ := json.Marshal(map[string]any{
			"requests": stats.requests.Load(), "streams": stats.streams.Load(),
			"events": stats.events.Load(), "by_model": models,
		})
		return c.json("200 OK", b)
	case p == "/__reset":
		stats.byModel.Range(func(_, n any) bool { n.(*atomic.Int64).Store(0); return true })
		return c.json("200 OK", []byte(`{}`))
	case p == "/realms/llm/.well-known/openid-configuration":
		iss := "http://" + *addr + "/realms/llm"
		b, _ := json.Marshal(map[string]any{
			"issuer": iss, "jwks_uri": iss + "/protocol/openid-connect/certs",
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		})
		return c.json("200 OK", b)
	case p == "/realms/llm/protocol/openid-connect/certs":
		b, err := os.ReadFile(*jwksFile)
		if err != nil {
			return c.json("404 Not Found", []byte(`{}`))
		}
		return c.json("200 OK", b)
	case p == "", p == "/health", p == "/healthz", strings.HasPrefix(p, "/api/"):
		return c.json("200 OK", []byte(`{"status":"ok"}`))
	}
	return c.json("404 Not Found", []byte(`{"error":{"type":"not_found_error","message":"mockllm: no such path"}}`))
}

func modelList() []byte {
	var data []map[string]any
	for _, id := range strings.Split(*models, ",") {
		data = append(data, map[string]any{
			"id": id, "type": "model", "object": "model", "created": 1700000000,
			"owned_by": "mock", "display_name": id, "created_at": "2024-01-01T00:00:00Z",
		})
	}
	b, _ := json.Marshal(map[string]any{"object": "list", "data": data, "has_more": false})
	return b
}
