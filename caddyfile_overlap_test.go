package llmgateway

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestExclusive(t *testing.T) {
	set := func(pairs ...string) caddy.ModuleMap {
		m := caddy.ModuleMap{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = json.RawMessage(pairs[i+1])
		}
		return m
	}
	for _, tc := range []struct {
		name string
		a, b caddy.ModuleMap
		want bool
	}{
		{name: "no matcher takes everything", a: nil, b: set("path", `["/a"]`), want: false},
		{name: "two paths", a: set("path", `["/a"]`), b: set("path", `["/b"]`), want: true},
		{name: "one path, in another case", a: set("path", `["/A"]`), b: set("path", `["/a"]`), want: false},
		{name: "two folders", a: set("path", `["/a/*"]`), b: set("path", `["/b/*"]`), want: true},
		{name: "a folder inside of another", a: set("path", `["/a/*"]`), b: set("path", `["/a/b/*"]`), want: false},
		{name: "a path inside of a folder", a: set("path", `["/a/*"]`), b: set("path", `["/a/b"]`), want: false},
		{name: "the folder's own name is not in it", a: set("path", `["/a/*"]`), b: set("path", `["/a"]`), want: true},
		{name: "one of several meets", a: set("path", `["/a","/b"]`), b: set("path", `["/c","/b"]`), want: false},
		{name: "a glob that nobody can judge", a: set("path", `["*/a"]`), b: set("path", `["/b"]`), want: false},
		{name: "an escape is another spelling", a: set("path", `["/a%2fb"]`), b: set("path", `["/a/b"]`), want: false},
		{name: "two hosts", a: set("host", `["a.example.com"]`), b: set("host", `["b.example.com"]`), want: true},
		{name: "a wildcard host", a: set("host", `["*.example.com"]`), b: set("host", `["b.example.com"]`), want: false},
		{name: "two methods", a: set("method", `["GET"]`), b: set("method", `["POST"]`), want: true},
		{name: "one of two matchers excludes", a: set("host", `["a"]`, "path", `["/x"]`), b: set("host", `["a"]`, "path", `["/y"]`), want: true},
		{name: "matchers that are not compared", a: set("header", `{"A":["1"]}`), b: set("header", `{"A":["2"]}`), want: false},
		{name: "different matchers", a: set("host", `["a"]`), b: set("path", `["/y"]`), want: false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if exclusive(tc.a, tc.b) != tc.want || exclusive(tc.b, tc.a) != tc.want {
				t.Errorf("exclusive(%s, %s) = %v and %v, want %v", tc.a, tc.b, exclusive(tc.a, tc.b), exclusive(tc.b, tc.a), tc.want)
			}
		})
	}
}
