package users

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

// A token is the prefix, 256 random bits in 43 digits and a checksum of all
// before it in 6 digits, to the base of 62. The checksum tells a slip of the
// fingers from a wrong token without looking anything up.
const (
	prefix       = "llmgw_u_"
	randomDigits = 43
	checkDigits  = 6
	tokenLength  = len(prefix) + randomDigits + checkDigits
	base         = 62
	alphabet     = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // as big.Int.Text
)

// NewToken returns a fresh token, which is shown once, and its SHA-256 in hex,
// which is what the users file holds.
func NewToken() (token, sha256hex string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	digits := new(big.Int).SetBytes(random[:]).Text(base)
	token = prefix + strings.Repeat("0", randomDigits-len(digits)) + digits
	token += checksum(token)
	sum := sha256.Sum256([]byte(token))
	return token, hex.EncodeToString(sum[:])
}

// Checksum reports whether the token has the form of one of ours and its
// checksum fits: a typing error does not.
func Checksum(token string) bool {
	if len(token) != tokenLength || !strings.HasPrefix(token, prefix) {
		return false
	}
	body := len(token) - checkDigits
	return token[body:] == checksum(token[:body])
}

// checksum is the CRC-32 of body. It is computed for every request, so it takes
// no detour over big numbers.
func checksum(body string) string {
	var out [checkDigits]byte
	rest := crc32.ChecksumIEEE([]byte(body))
	for i := checkDigits - 1; i >= 0; i-- {
		out[i] = alphabet[rest%base]
		rest /= base
	}
	return string(out[:])
}
