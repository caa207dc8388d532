package llmgateway

import "bytes"

// mask stands where a credential was.
const mask = "***"

// tokenForms are the beginnings of credentials that are recognised wherever
// they stand, and how many more bytes of a token must follow.
var tokenForms = []struct {
	prefix string
	least  int
}{
	{prefix: "llmgw_", least: 8}, // ours
	{prefix: "eyJ", least: 13},   // a JWT, whole or cut: base64 of `{"`
	{prefix: "sk-", least: 8},    // OpenAI, Anthropic and those who copied them
	{prefix: "AIza", least: 16},  // Google
}

// maskLine returns a line of JSON with the mask in place of everything that
// looks like a credential, and whether there was any. It works inside of
// strings only, because no form it knows can stand outside of one, and never
// splits an escape: what was JSON stays JSON. Text that is no JSON is treated
// alike.
func maskLine(line []byte) ([]byte, bool) {
	var out []byte
	copied, wordStart := 0, true
	for i := 0; i < len(line); {
		if line[i] == '\\' {
			i += escapeLength(line[i:])
			wordStart = true // `\nsk-…` begins a word although an n stands before it
			continue
		}
		if isPercent(line[i:]) {
			i += len("%20")
			wordStart = true // as it does in `Bearer%20sk-…`
			continue
		}
		from, to := secretAt(line, i, wordStart)
		if from == to {
			wordStart = !isWordByte(line[i])
			i++
			continue
		}
		out = append(append(out, line[copied:from]...), mask...)
		copied, i, wordStart = to, to, false
	}
	if copied == 0 {
		return line, false
	}
	return append(out, line[copied:]...), true
}

// secretAt returns the bounds of a credential that is announced at i: by its
// own form, by a scheme before it, by a name and an equals sign, or by a URL
// that carries a user.
func secretAt(line []byte, i int, wordStart bool) (from, to int) {
	switch line[i] {
	case '=':
		return valueAfter(line, i)
	case ':':
		return userOfURL(line, i)
	case 'B', 'b':
		if wordStart {
			return afterScheme(line, i)
		}
	case 'l': // ours are like nothing else, so they need not begin a word
		return tokenAt(line, i)
	case 'e', 's', 'A':
		if wordStart {
			return tokenAt(line, i)
		}
	}
	return 0, 0
}

func tokenAt(line []byte, i int) (from, to int) {
	for _, form := range tokenForms {
		if !bytes.HasPrefix(line[i:], []byte(form.prefix)) {
			continue
		}
		from = i + len(form.prefix)
		if to = from + run(line[from:], isTokenByte); to-from >= form.least {
			return i, to
		}
	}
	return 0, 0
}

// afterScheme finds the rest of `Bearer …` and `Basic …`.
func afterScheme(line []byte, i int) (from, to int) {
	for _, scheme := range []string{"bearer", "basic"} {
		if len(line)-i <= len(scheme) || !bytes.EqualFold(line[i:i+len(scheme)], []byte(scheme)) {
			continue
		}
		from = i + len(scheme)
		space := run(line[from:], func(c byte) bool { return c == ' ' })
		from += space
		to = from + run(line[from:], func(c byte) bool {
			return isTokenByte(c) || c == '+' || c == '/' || c == '=' || c == '~'
		})
		if space > 0 && to-from >= 8 {
			return from, to
		}
	}
	return 0, 0
}

// valueAfter finds the value behind `api_key=`, as URLs inside of error texts
// have it. Counts (`max_tokens=5`) are no credentials.
func valueAfter(line []byte, i int) (from, to int) {
	start := i
	for start > 0 && (isWordByte(line[start-1]) || line[start-1] == '-') {
		start--
	}
	name := bytes.ToLower(line[start:i])
	if bytes.HasSuffix(name, []byte("tokens")) || string(name) != "code" && !isSecretHeader(string(name)) {
		return 0, 0
	}
	from = i + 1
	if bytes.HasPrefix(line[from:], []byte(`\"`)) {
		from += 2
	}
	return from, from + run(line[from:], func(c byte) bool {
		return c > ' ' && bytes.IndexByte([]byte(`"\&;,')}`), c) < 0
	})
}

// userOfURL finds `user:password` between `://` and `@`.
func userOfURL(line []byte, i int) (from, to int) {
	if !bytes.HasPrefix(line[i:], []byte("://")) {
		return 0, 0
	}
	from = i + len("://")
	host := line[from : from+run(line[from:], func(c byte) bool {
		return c > ' ' && bytes.IndexByte([]byte(`"\/?#`), c) < 0
	})]
	if at := bytes.LastIndexByte(host, '@'); at > 0 {
		return from, from + at
	}
	return 0, 0
}

// run counts the bytes at the front of line that ok accepts.
func run(line []byte, ok func(byte) bool) int {
	n := 0
	for n < len(line) && ok(line[n]) {
		n++
	}
	return n
}

// escapeLength is the length of the JSON escape that line begins with.
func escapeLength(line []byte) int {
	if len(line) > 1 && line[1] == 'u' {
		return min(6, len(line))
	}
	return min(2, len(line))
}

// isPercent reports whether text begins with an octet as URLs escape it.
func isPercent(text []byte) bool {
	return len(text) > 2 && text[0] == '%' && isHex(text[1]) && isHex(text[2])
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isTokenByte(c byte) bool { return isWordByte(c) || c == '-' || c == '.' }

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
