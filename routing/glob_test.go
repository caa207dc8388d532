package routing

import "testing"

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		glob, name string
		want       bool
	}{
		{"*", "", true},
		{"*", "a/b", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "a", true},
		{"a*", "ba", false},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"*opus*", "claude-opus-5", true},
		{"*opus*", "opus", true},
		{"*opus*", "opu", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "a-c-b-c", true},
		{"a*b*c", "acb", false},
		{"Qwen/*", "Qwen/Qwen3/x", true},
		{"qwen*", "Qwen", false},
		{"**", "x", true},
		{"a**b", "ab", true},
		{"*ab*ab*", "xabab", true},
		{"*ab*ab*", "xabb", false},
	} {
		if got := compileGlob(tc.glob).match(tc.name); got != tc.want {
			t.Errorf("%q matches %q: %v, want %v", tc.glob, tc.name, got, tc.want)
		}
	}
}
