package attacktest

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// afterSigning are the changes that mutateToken and attempt make.
var afterSigning = map[string]bool{
	"sig-trunc4": true, "std-b64": true, "extra-segment": true, "two-segments": true,
	"padding": true, "newline": true, "tail-bits": true, "negative-cache-poison": true,
}

// mutate makes one named change to the texts before they are signed.
func (d *draft) mutate(name string) error {
	switch name {
	case "dup-header-alg":
		d.header = `{"alg":"none",` + d.header[1:]
	case "payload-array-signed":
		d.payload = "[" + d.payload + "]"
	case "dup-sub-signed":
		d.payload = d.payload[:len(d.payload)-1] + `,"sub":"bob"}`
	case "case-sub-signed":
		d.payload = d.payload[:len(d.payload)-1] + `,"SUB":"bob"}`
	case "case-tier-signed":
		d.payload = d.payload[:len(d.payload)-1] + `,"Subscription_Tier":"enterprise"}`
	default:
		if !afterSigning[name] {
			return fmt.Errorf("unknown change %q", name)
		}
	}
	return nil
}

// mutateToken makes one named change to the finished token.
func mutateToken(token, name string) string {
	parts := strings.Split(token, ".")
	switch name {
	case "sig-trunc4":
		return token[:len(token)-4]
	case "std-b64":
		return standardAlphabet(parts)
	case "extra-segment":
		return token + "." + parts[2]
	case "two-segments":
		return parts[0] + "." + parts[1]
	case "padding":
		return token + "="
	case "newline":
		return token + "\n"
	case "tail-bits":
		return tailBits(token)
	default:
		return token
	}
}

// standardAlphabet writes the signature in the alphabet of RFC 4648 §4, which
// pads what is not a multiple of three bytes.
func standardAlphabet(parts []string) string {
	raw, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return strings.Join(parts, ".")
	}
	return parts[0] + "." + parts[1] + "." + base64.StdEncoding.EncodeToString(raw)
}

// flipped is the same token with another signature.
func flipped(token string) string {
	head, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
	first := "A"
	if strings.HasPrefix(signature, "A") {
		first = "B"
	}
	return head + first + signature[1:]
}

// tailBits sets a bit of the last character that no byte of a 256-byte
// signature needs: a loose decoder reads the same signature.
func tailBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}
