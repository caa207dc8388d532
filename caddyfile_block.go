package llmgateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/openova-io/llm-gateway/internal/nearest"
)

// option is one word that a block of the Caddyfile takes.
type option struct {
	word string
	// example is a whole line as one would write it; errors show it.
	example string
	// repeats tells that several lines of this word add up. Other words stand
	// once in a block.
	repeats bool
	// parse reads the line whose first word d stands on. It takes what it
	// needs; block refuses what is left over.
	parse func(d *caddyfile.Dispenser) error
}

// block reads the lines between two braces: a list of options, each known by
// its first word.
type block struct {
	// owner names the block in errors: "llm_gateway", "tier free".
	owner   string
	options []option
	// other takes a line whose word is no option. Default: refuse it.
	other func(d *caddyfile.Dispenser) error
}

// lineError says what is wrong with the words of one line. block adds whose
// line it is, an example and the place in the file.
type lineError string

func (e lineError) Error() string { return string(e) }

func wrongLine(format string, args ...any) error {
	return lineError(fmt.Sprintf(format, args...))
}

// parse reads the block that opens at the end of d's line, if there is one, and
// leaves d at its closing brace.
func (b *block) parse(d *caddyfile.Dispenser) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		i := slices.IndexFunc(b.options, func(o option) bool { return o.word == d.Val() })
		if i < 0 {
			if err := b.parseOther(d); err != nil {
				return err
			}
			continue
		}
		o := b.options[i]
		if seen[o.word] && !o.repeats {
			return d.Errf("%s: %s given twice", b.owner, o.word)
		}
		seen[o.word] = true
		if err := b.parseLine(d, o); err != nil {
			return err
		}
	}
	return nil
}

func (b *block) parseLine(d *caddyfile.Dispenser, o option) error {
	at := d.Token()
	err := o.parse(d)
	if err == nil {
		err = endOfLine(d)
	}
	var wrong lineError
	if errors.As(err, &wrong) {
		// Not wrapped: a block around this one would word it again as its own.
		return errorAt(at, "%s: %s: %v; for example: %s", b.owner, o.word, wrong, o.example)
	}
	return err
}

// endOfLine refuses what an option left over.
func endOfLine(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return wrongLine("%q is a word too many", shown(d.Val()))
	}
	if d.NextBlock(d.Nesting()) {
		return wrongLine("it takes no block")
	}
	return nil
}

func (b *block) parseOther(d *caddyfile.Dispenser) error {
	if b.other != nil {
		return b.other(d)
	}
	return unknownOption(d, b.owner, b.options)
}

// unknownOption names the word that d stands on, the nearest valid one and how
// a line of it looks.
func unknownOption(d *caddyfile.Dispenser, owner string, options []option) error {
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = o.word
	}
	hint := "for example: " + options[0].example
	if word, ok := nearest.Word(d.Val(), words); ok {
		hint = fmt.Sprintf("did you mean %s, as in: %s", word, options[slices.Index(words, word)].example)
	}
	return d.Errf("%s: unknown option %q; %s (known: %s)", owner, shown(d.Val()), hint, strings.Join(words, ", "))
}

// shown is a word of the file as errors may repeat it: a secret can have slipped
// into any place.
func shown(word string) string {
	masked, _ := maskLine([]byte(word))
	return string(masked)
}

// word returns the next word of d's line.
func word(d *caddyfile.Dispenser, what string) (string, error) {
	if !d.NextArg() || d.Val() == "" {
		return "", wrongLine("%s is missing", what)
	}
	return d.Val(), nil
}

// words returns the rest of d's line, at least one word.
func words(d *caddyfile.Dispenser, what string) ([]string, error) {
	rest := d.RemainingArgs()
	if len(rest) == 0 || slices.Contains(rest, "") {
		return nil, wrongLine("%s is missing", what)
	}
	return rest, nil
}

// oneOf refuses a word that is none of known and names the nearest.
func oneOf(got, what string, known ...string) error {
	if slices.Contains(known, got) {
		return nil
	}
	if near, ok := nearest.Word(got, known); ok {
		return wrongLine("unknown %s %q; did you mean %s (known: %s)", what, shown(got), near, strings.Join(known, ", "))
	}
	return wrongLine("unknown %s %q (known: %s)", what, shown(got), strings.Join(known, ", "))
}

// name returns the next word of d's line as the name of a tier or backend: it
// becomes a label of metrics, a word of headers and a part of `<backend>/<model>`.
func name(d *caddyfile.Dispenser) (string, error) {
	text, err := word(d, "the name")
	if err != nil {
		return "", err
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	}
	if len(text) > maxName || strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return "", wrongLine("%q is no name; use up to %d letters, digits, - _ and .", shown(text), maxName)
	}
	return text, nil
}

// maxName is the longest name of a tier or backend.
const maxName = 64

// errorAt places an error at a token that was read earlier.
func errorAt(at caddyfile.Token, format string, args ...any) error {
	d := caddyfile.NewDispenser([]caddyfile.Token{at})
	d.Next()
	return d.Errf(format, args...)
}
