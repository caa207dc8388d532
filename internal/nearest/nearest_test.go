package nearest_test

import (
	"fmt"
	"testing"

	"github.com/openova-io/llm-gateway/internal/nearest"
)

func TestWord(t *testing.T) {
	words := []string{"auth", "quota", "tier", "backend", "public_url", "max_body", "key"}
	for _, tc := range []struct {
		name, got, want string
	}{
		{name: "a missing letter", got: "bakend", want: "backend"},
		{name: "one letter too many", got: "tiers", want: "tier"},
		{name: "a wrong letter", got: "quote", want: "quota"},
		{name: "two letters swapped", got: "teir", want: "tier"},
		{name: "a short word bears one slip", got: "ky", want: "key"},
		{name: "another case", got: "AUTH", want: "auth"},
		{name: "a dash for an underscore", got: "public-url", want: "public_url"},
		{name: "another word is not a slip", got: "listen", want: ""},
		{name: "a short word does not become any short word", got: "on", want: ""},
		{name: "nothing written", got: "", want: ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := nearest.Word(tc.got, words)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("Word(%q) = %q, %v; want %q", tc.got, got, ok, tc.want)
			}
		})
	}
}

func TestWordPrefersTheClosestThenTheFirst(t *testing.T) {
	if got, _ := nearest.Word("limti", []string{"limits", "limit"}); got != "limit" {
		t.Errorf("got %q, want the word that is one swap away", got)
	}
	if got, _ := nearest.Word("cat", []string{"bat", "rat"}); got != "bat" {
		t.Errorf("got %q, want the first of two equally close words", got)
	}
}

func ExampleWord() {
	word, ok := nearest.Word("limt", []string{"allow", "limit"})
	fmt.Println(word, ok)
	// Output: limit true
}
