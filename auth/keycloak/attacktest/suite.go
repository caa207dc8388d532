// Package attacktest turns the recipes of jwt-attacks.json into requests: it
// makes the keys, serves them as a realm would, and builds and signs the token
// of each case. It does not know what a gateway answers; the caller sends the
// request and compares.
//
// Every word of a recipe is either understood or an error, so that a case is
// never passed because its attack was left out.
package attacktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Suite is a file of cases.
type Suite struct {
	Base  Base   `json:"base"`
	Cases []Case `json:"cases"`
}

// Base is the good request that every case changes.
type Base struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
	Sign   Sign           `json:"sign"`
	Send   Transport      `json:"send"`
}

// Sign says how the token is signed.
type Sign struct {
	// Key is a name of the lab's keys, `none`, `zeros` or `keep-rs256`.
	Key string `json:"key"`
	// Alg is the algorithm where it is not the key's own.
	Alg string `json:"alg"`
	// HMAC is the form of the public key of Of that serves as the secret.
	HMAC string `json:"hmac"`
	Of   string `json:"of"`
	// Der makes an ECDSA signature ASN.1 instead of r and s.
	Der bool `json:"der"`
	// Len is the length of `zeros`.
	Len int `json:"len"`
}

// Transport says how the token travels. Values may hold `@token`.
type Transport struct {
	Authorization []string       `json:"authorization"`
	APIKey        []string       `json:"x-api-key"`
	Query         string         `json:"query"`
	Config        map[string]any `json:"config"`
}

// Case is one recipe.
type Case struct {
	ID        string         `json:"id"`
	Class     string         `json:"class"`
	Name      string         `json:"name"`
	Header    map[string]any `json:"header"`
	Claims    map[string]any `json:"claims"`
	Sign      *Sign          `json:"sign"`
	Mutate    []string       `json:"mutate"`
	Raw       string         `json:"raw"`
	Transport *Transport     `json:"transport"`
	Expect    string         `json:"expect"`
	Reason    string         `json:"reason"`
	Why       string         `json:"why"`
}

// Attempt is the request of a case.
type Attempt struct {
	// Header carries the credential.
	Header http.Header
	// Query is added to the URL.
	Query url.Values
	// First are tokens to send as Bearer before, whatever comes of them.
	First []string
	// Token is the credential itself: it must appear in no output.
	Token string
	// Sub is the principal's id where the case is accepted.
	Sub string
}

// Parse reads a file of cases. Unknown words are errors.
func Parse(file []byte) (*Suite, error) {
	var s struct {
		Suite
		Schema   string          `json:"schema"`
		About    string          `json:"about"`
		Keys     json.RawMessage `json:"keys"`
		Config   json.RawMessage `json:"config"`
		Notation json.RawMessage `json:"notation"`
	}
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("read the cases: %w", err)
	}
	if s.Schema != "jwt-attack-cases/1" || len(s.Cases) == 0 {
		return nil, fmt.Errorf("read the cases: schema %q with %d cases", s.Schema, len(s.Cases))
	}
	return &s.Suite, nil
}
