package vllmsim

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
)

func randomHex(digits int) string {
	b := make([]byte, digits/2)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// newAnswerID is built from the client's own request id where it sent one.
func newAnswerID(h http.Header) string {
	if id := h.Get("X-Request-Id"); id != "" {
		return "chatcmpl-" + id
	}
	return "chatcmpl-" + randomHex(16)
}

func newToolID() string { return "chatcmpl-tool-" + randomHex(16) }

// newSignature closes a thinking block. The real server's is random as well.
func newSignature() string { return randomHex(32) }
