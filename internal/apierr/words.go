package apierr

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxMessage is the most characters of a text, so that it fits the lines that
// clients give it.
const MaxMessage = 240

// misread are words in a text that make Claude Code replace the text or repair
// a fault that is none.
var misread = []string{
	"x-api-key", "prompt is too long", "capability_rejected", "policy_blocked",
	"context_length_exceeded", "maximum context length", "exceed context limit",
	"longer than the maximum model length",
}

// word makes text from outside fit to be quoted: printable ASCII, bounded, and
// nothing that a client reads as an instruction.
func word(s string, most int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= most {
			b.WriteString("...")
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		b.WriteRune(r)
	}
	out := b.String()
	if misleads(out) {
		return "(unprintable)"
	}
	return out
}

// misleads reports whether a client would misread the text.
func misleads(s string) bool {
	lower := strings.ToLower(s)
	for _, w := range misread {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// clip cuts a text to MaxMessage characters.
func clip(s string) string {
	if utf8.RuneCountInString(s) <= MaxMessage {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:MaxMessage-1]), " ,") + "…"
}

// list joins names up to a number of characters and tells how many are left
// out.
func list(names []string, most int) string {
	var b strings.Builder
	for i, n := range names {
		n = word(n, 64)
		if b.Len() > 0 && b.Len()+2+len(n) > most {
			return b.String() + " and " + strconv.Itoa(len(names)-i) + " more"
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n)
	}
	return b.String()
}

// linked returns lead with the page of the gateway behind it, or bare where no
// address is known.
func linked(lead, base, page, bare string) string {
	if base == "" {
		return bare
	}
	return lead + strings.TrimRight(base, "/") + page
}

// Span says a duration as people do: "7 s", "12 min", "5 h 12 min", "3 d 4 h".
func Span(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	pair := func(big int64, unit string, small int64, of string) string {
		out := strconv.FormatInt(big, 10) + " " + unit
		if small > 0 {
			out += " " + strconv.FormatInt(small, 10) + " " + of
		}
		return out
	}
	switch {
	case s < 60:
		return pair(max(s, 1), "s", 0, "")
	case s < 3600:
		return pair(s/60, "min", 0, "")
	case s < 24*3600:
		return pair(s/3600, "h", s%3600/60, "min")
	}
	return pair(s/86400, "d", s%86400/3600, "h")
}

// bytesOf says a size as configuration spells it.
func bytesOf(n int64) string {
	const mib = 1 << 20
	if n >= mib && n%mib == 0 {
		return strconv.FormatInt(n/mib, 10) + " MiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
