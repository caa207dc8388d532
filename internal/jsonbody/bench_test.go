package jsonbody

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const code = "func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {\n\tif err := h.check(r); err != nil {\n\t\treturn fmt.Errorf(\"check %q: %w\", r.URL.Path, err)\n\t}\n\tfor i := 0; i < len(h.routes); i++ {\n\t\tlog.Printf(\"route %d -> %s\\n\", i, h.routes[i])\n\t}\n\treturn nil\n}\n"

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func filler(n int) string {
	return strings.Repeat(code, n/len(code)+1)[:n]
}

// agentBody is shaped as a coding agent's request: a long system prompt, tools
// and a conversation that holds code; model stands last, the worst case.
func agentBody(size int, text func(int) string) []byte {
	var b strings.Builder
	b.WriteString(`{"messages":[{"role":"user","content":"Explain this function."}`)
	for n := size * 4 / 10; n > 0; n -= 8 << 10 {
		part := min(n, 8<<10) / 2
		fmt.Fprintf(&b, `,{"role":"assistant","content":%s},{"role":"user","content":%s}`, quoted(text(part)), quoted(text(part)))
	}
	fmt.Fprintf(&b, `],"system":[{"type":"text","text":%s,"cache_control":{"type":"ephemeral"}}],"tools":[`, quoted(text(size*3/10)))
	for i, n := 0, size*2/10; n > 0; i, n = i+1, n-3000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"tool_%d","description":%s,"input_schema":{"type":"object","properties":{"path":{"type":"string","description":"file to read"},"limit":{"type":"integer"}},"required":["path"]}}`,
			i, quoted("Reads a file.\n"+text(max(0, min(n, 3000)-300))))
	}
	b.WriteString(`],"metadata":{"user_id":"user_bench_account__session_00000000-0000-0000-0000-000000000000"},"max_tokens":1024,"stream":true,"model":"claude-opus-5-5"}`)
	return []byte(b.String())
}

// schemaBody is nothing but tool schemas: short names, little text.
func schemaBody(size int) []byte {
	const tool = `{"name":"tool_7","input_schema":{"type":"object","properties":{"path":{"type":"string","description":"file to read"},"limit":{"type":"integer","minimum":1,"maximum":2000},"mode":{"enum":["fast","slow",null]},"deep":{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"boolean"}]}}},"required":["path"],"additionalProperties":false}}`
	n := size/len(tool) + 1
	return []byte(`{"model":"claude-opus-5-5","max_tokens":1024,"tools":[` + strings.Repeat(tool+",", n-1) + tool + `]}`)
}

// prose has escapes at irregular distances, so that a branch predictor cannot
// learn them by heart.
func prose(n int) string {
	var b strings.Builder
	for x := uint32(7); b.Len() < n; {
		x = x*1664525 + 1013904223
		b.WriteString("abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefghij"[:1+x>>26])
		b.WriteString([]string{"\n", "\t\t", `"`, " ", ", ", "\n\n"}[x>>8%6])
	}
	return b.String()[:n]
}

func BenchmarkScan(b *testing.B) {
	for _, tc := range []struct {
		name string
		body []byte
	}{
		{"1KB", agentBody(200, filler)},
		{"150KB", agentBody(150<<10, filler)},
		{"150KB-plain", agentBody(150<<10, func(n int) string { return strings.Repeat("plain text ", n/11) })},
		{"150KB-irregular", agentBody(150<<10, prose)},
		{"150KB-german", agentBody(150<<10, func(n int) string { return strings.Repeat("Größenänderung über alles, ", n/30) })},
		{"150KB-chinese", agentBody(150<<10, func(n int) string { return strings.Repeat("请解释这个函数的作用", n/30) })},
		{"150KB-schemas", schemaBody(150 << 10)},
	} {
		b.Run(tc.name, func(b *testing.B) {
			var f Facts
			b.SetBytes(int64(len(tc.body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Scan(tc.body, &f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkValid(b *testing.B) {
	body := agentBody(150<<10, filler)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		json.Valid(body)
	}
}
