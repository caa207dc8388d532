// Package nearest finds the word that somebody probably meant, for error
// messages about configuration. It knows no grammar: the caller brings the
// words that would have been right.
package nearest

import "strings"

// Word returns the member of known that is closest to got and true, or "" and
// false where nothing is close enough to be a typing error rather than another
// word. Case does not count. Of equally close words the first wins.
func Word(got string, known []string) (string, bool) {
	got = strings.ToLower(got)
	best, found := "", false
	bound := tolerance(got)
	for _, word := range known {
		d := distance([]rune(got), []rune(strings.ToLower(word)))
		if d < bound || (d == bound && !found) {
			best, found, bound = word, true, d
		}
	}
	return best, found
}

// tolerance is the most edits that still read as a slip: a third of the word,
// at least one, so that "ky" finds "key" but "on" does not find "key".
func tolerance(word string) int {
	return max(1, len([]rune(word))/3)
}

// distance counts insertions, deletions, substitutions and swaps of neighbours
// between a and b (optimal string alignment).
func distance(a, b []rune) int {
	before := make([]int, len(b)+1) // row i-2
	last := make([]int, len(b)+1)   // row i-1
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitute := last[j-1]
			if a[i-1] != b[j-1] {
				substitute++
			}
			row[j] = min(last[j]+1, row[j-1]+1, substitute)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
