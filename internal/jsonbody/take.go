package jsonbody

import "bytes"

// take adds a member to the facts and acts on those that the gateway reads.
func (f *Facts) take(body []byte, m Member) error {
	name, err := f.name(body, m.Name)
	if err != nil {
		return err
	}
	bad := func(code Code, at int) error {
		return &Error{Code: code, Member: printable(name), Offset: at}
	}
	if len(f.Members) == MaxMembers {
		return bad(TooMany, m.Name.Start)
	}
	if oddCase(name) {
		return bad(OddCase, m.Name.Start)
	}
	h := hashOf(name)
	if f.has(body, h, name) {
		return bad(Duplicate, m.Name.Start)
	}
	f.Members = append(f.Members, m)
	f.hashes = append(f.hashes, h)

	ok := true
	switch string(name) {
	case "model":
		if !f.takeModel(body, m) {
			return bad(BadModel, m.Value.Start)
		}
	case "stream":
		f.Stream = m.Kind == True
		ok = m.Kind == True || m.Kind == False || m.Kind == Null
	case "max_tokens":
		f.MaxTokensValue = m.Value
		f.MaxTokens, f.HasMaxTokens, ok = count(body, m)
	case "max_completion_tokens":
		f.MaxCompletionTokensValue = m.Value
		f.MaxCompletionTokens, f.HasMaxCompletionTokens, ok = count(body, m)
	}
	if !ok {
		return bad(BadMember, m.Value.Start)
	}
	return nil
}

// name returns a member's name unescaped; it stays valid until the next call.
// Names that parsers read differently, or not at all, are refused.
func (f *Facts) name(body []byte, s Span) ([]byte, error) {
	raw := body[s.Start+1 : s.End-1]
	if len(raw) > MaxName {
		return nil, &Error{Code: BadMember, Offset: s.Start}
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, nil
	}
	name, whole := unescape(f.scratch[:0], raw)
	f.scratch = name
	if !whole {
		return nil, &Error{Code: BadMember, Offset: s.Start}
	}
	return name, nil
}

// has reports whether a member of that name was taken before.
func (f *Facts) has(body []byte, hash uint64, name []byte) bool {
	for i, h := range f.hashes {
		if h == hash && nameIs(body, f.Members[i].Name, string(name)) {
			return true
		}
	}
	return false
}

// takeModel notes the model if its name is one.
func (f *Facts) takeModel(body []byte, m Member) bool {
	if m.Kind != String {
		return false
	}
	model := body[m.Value.Start+1 : m.Value.End-1]
	if len(model) > 6*MaxModel { // \u escapes at most
		return false
	}
	if bytes.IndexByte(model, '\\') >= 0 {
		model, _ = unescape(f.scratch[:0], model)
		f.scratch = model
	}
	if !isModel(model) {
		return false
	}
	f.Model, f.ModelValue, f.modelName = f.intern(model), m.Value, m.Name
	return true
}

// isModel reports whether b may be the name of a model. The characters are
// those of published names; none of them means anything in a URL's authority,
// a header, a placeholder, a label or a log line.
func isModel(b []byte) bool {
	if len(b) == 0 || len(b) > MaxModel || bytes.Contains(b, []byte("://")) {
		return false
	}
	for _, c := range b {
		if !modelByte[c] {
			return false
		}
	}
	return true
}

var modelByte = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@+-") {
		t[c] = true
	}
	return t
}()

// count reads a whole number of tokens; null is none. 18 digits fit an int64
// and are more than any model has.
func count(body []byte, m Member) (n int64, has, ok bool) {
	if m.Kind == Null {
		return 0, false, true
	}
	raw := body[m.Value.Start:m.Value.End]
	if m.Kind != Number || len(raw) > 18 {
		return 0, false, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true, true
}
