// Package jsonbody reads a request body once, strictly, and edits it by byte
// span.
//
// [Scan] decides whether a body is one JSON object that every parser reads the
// same way, and takes from it what the gateway acts on: model, stream, token
// limits and where each top-level member lies. What is refused here is refused
// because some parser upstream would read something else than what was
// authorised: duplicate names, odd case, byte order marks, lone surrogates in
// names. [Apply] writes a body anew with the bytes outside the edits unchanged.
//
// The package knows no dialect, tier or HTTP status. Members that it does not
// know are left alone.
package jsonbody

// Limits of one body. They bound what a body costs before anybody was charged.
const (
	// MaxDepth is how deep arrays and objects may nest, the body's own object
	// included. Python's parser gives up at about 1,000.
	MaxDepth = 200
	// MaxMembers is how many top-level members a body may have. The largest
	// API has about 40.
	MaxMembers = 1024
	// MaxName is the most bytes of a top-level name, as written.
	MaxName = 256
	// MaxModel is the most bytes of a model's name.
	MaxModel = 256
)

// Span is body[Start:End].
type Span struct{ Start, End int }

// Kind is the type of a JSON value. The zero Kind is no value.
type Kind uint8

// The kinds.
const (
	String Kind = iota + 1
	Number
	Object
	Array
	True
	False
	Null
)

// Member is one member of an object. Name and a string's Value include their
// quotes.
type Member struct {
	Name, Value Span
	Kind        Kind
}

// Facts is what [Scan] found. The zero value is ready; using one again and
// again keeps its memory, so that a scan allocates nothing. Spans are of the
// body that was scanned last. Not safe for concurrent use.
type Facts struct {
	// Members are the top-level members, in order.
	Members []Member

	// Model is the model's name, unescaped: 1 to [MaxModel] bytes of
	// A-Z a-z 0-9 . _ : / @ + - without "://".
	Model string
	// ModelValue is where it stands, with its quotes.
	ModelValue Span

	// Stream tells that the answer is wanted as a stream. Default: false, also
	// for null.
	Stream bool

	// MaxTokens is the member max_tokens, in tokens; meaningful if HasMaxTokens
	// (null counts as absent).
	MaxTokens      int64
	MaxTokensValue Span
	HasMaxTokens   bool

	// MaxCompletionTokens is the same for max_completion_tokens, which chat
	// completions prefer over max_tokens.
	MaxCompletionTokens      int64
	MaxCompletionTokensValue Span
	HasMaxCompletionTokens   bool

	modelName Span     // the name `model` as written
	hashes    []uint64 // of the unescaped names, parallel to Members
	scratch   []byte   // an unescaped name or model
	recent    [8]string
	next      int // slot of recent to be replaced
}

// Lookup finds the top-level member of that name, however its name is escaped
// in the body.
func (f *Facts) Lookup(body []byte, name string) (Member, bool) {
	h := hashOf([]byte(name))
	for i, have := range f.hashes {
		if have == h && nameIs(body, f.Members[i].Name, name) {
			return f.Members[i], true
		}
	}
	return Member{}, false
}

// reset empties f but keeps its memory.
func (f *Facts) reset() {
	*f = Facts{
		Members: f.Members[:0],
		hashes:  f.hashes[:0],
		scratch: f.scratch[:0],
		recent:  f.recent,
		next:    f.next,
	}
}

// intern returns b as a string, without a new copy for the models that were
// asked for lately.
func (f *Facts) intern(b []byte) string {
	for _, s := range f.recent {
		if s == string(b) {
			return s
		}
	}
	s := string(b)
	f.recent[f.next] = s
	f.next = (f.next + 1) % len(f.recent)
	return s
}
