package keycloak

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
)

// headerDepth bounds the header: its members are texts, and a list is as deep
// as a legitimate one ever goes.
const headerDepth = 4

// token is a token in its parts. Nothing in it is verified.
type token struct {
	signed    string // header.payload, as it was signed
	payload   []byte
	signature []byte
	alg, kid  string
}

// parse takes a token apart and refuses all that golang-jwt lets through:
// loose base64, unknown critical extensions, compressed or detached payloads,
// names given twice or in another case, tokens of another kind.
func parse(raw string) (token, error) {
	if len(raw) > auth.MaxToken {
		return token{}, errors.New("longer than 16 KiB")
	}
	first := strings.IndexByte(raw, '.')
	last := strings.LastIndexByte(raw, '.')
	if strings.Count(raw, ".") != 2 {
		return token{}, errors.New("not three segments")
	}
	header, err := segment(raw[:first])
	if err != nil {
		return token{}, err
	}
	t := token{signed: raw[:last]}
	if t.payload, err = segment(raw[first+1 : last]); err != nil {
		return token{}, err
	}
	if t.signature, err = segment(raw[last+1:]); err != nil {
		return token{}, err
	}
	return t, t.readHeader(header)
}

// segment decodes base64url without padding and with canonical tail bits. The
// standard decoder skips line ends, so they are refused before it.
func segment(s string) ([]byte, error) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("a segment is empty or not base64url")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("a segment is not base64url")
	}
	return raw, nil
}

// readHeader accepts the members of a plain signed token and nothing else:
// what it does not know it might have to obey.
func (t *token) readHeader(raw []byte) error {
	members, err := strictjson.Object(raw, headerDepth)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for name, member := range members {
		value, ok := member.(string)
		if !ok {
			return errors.New("header: a member is not text")
		}
		switch name {
		case "alg":
			t.alg = value
		case "kid":
			t.kid = value
		case "typ":
			if value != "JWT" && value != "at+jwt" {
				return errors.New("header: typ is not that of an access token")
			}
		case "x5t", "x5t#S256", "cty":
		default:
			return errors.New("header: a member that access tokens do not have")
		}
	}
	if t.alg == "" {
		return errors.New("header: no alg")
	}
	if t.kid == "" || len(t.kid) > maxKid {
		return errors.New("header: kid is not 1 to 128 bytes")
	}
	return nil
}
