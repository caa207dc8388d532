package sse

import "bytes"

const (
	maxPrefix = 320
	maxSuffix = 256
)

// pattern recognises the chunks that most of a stream consists of, so that
// they need not be read. It is learned from a chunk that was read and said
// nothing but content: a later one that only differs inside the delta says
// nothing else either.
type pattern struct {
	prefix  [maxPrefix]byte // up to and with the brace that opens the delta
	suffix  [maxSuffix]byte // from the brace that closes it
	nprefix int             // 0: nothing learned
	nsuffix int
}

var deltaKey = []byte(`"delta"`)

// matches reports whether frame can only bring more content.
func (t *pattern) matches(frame []byte) bool {
	p, s := t.nprefix, t.nsuffix
	if p == 0 || len(frame) < p+s ||
		!bytes.Equal(frame[:p], t.prefix[:p]) ||
		!bytes.Equal(frame[len(frame)-s:], t.suffix[:s]) {
		return false
	}
	// To say anything else the middle would have to close the delta, and then
	// to open another one for the suffix to close. In text the quotes of this
	// key are escaped.
	return !bytes.Contains(frame[p:len(frame)-s], deltaKey)
}

// learn takes what surrounds delta, a part of frame, as the pattern.
func (t *pattern) learn(frame, delta []byte) {
	if len(delta) < 2 || delta[0] != '{' {
		return
	}
	// Both slices reach to the end of one array, unless several data lines
	// were joined elsewhere; comparing the bytes tells.
	from := cap(frame) - cap(delta) + 1
	to := from + len(delta) - 2
	if from <= 0 || from > maxPrefix || to > len(frame) || len(frame)-to > maxSuffix ||
		&frame[from] != &delta[1] {
		return
	}
	t.nprefix = copy(t.prefix[:], frame[:from])
	t.nsuffix = copy(t.suffix[:], frame[to:])
}
