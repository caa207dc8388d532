package keycloak

import (
	"encoding/json"
	"fmt"
	"time"
)

// Keep stores the last key set across restarts, so that a restart during an
// outage of the issuer works. Both calls bound their own time.
type Keep interface {
	// Load returns what Save stored last, or an error where there is nothing.
	Load() ([]byte, error)
	// Save replaces what is stored; at most about 350 KiB.
	Save(b []byte) error
}

// kept is the stored form of a key set. The realm is part of it: keys of
// another realm that share a store must never be taken for ours.
type kept struct {
	Realm   string    `json:"realm"`
	Fetched time.Time `json:"fetched"`
	JWKS    []byte    `json:"jwks"`
}

func encodeKept(realm string, jwks []byte, fetched time.Time) ([]byte, error) {
	b, err := json.Marshal(kept{Realm: realm, Fetched: fetched, JWKS: jwks})
	if err != nil {
		return nil, fmt.Errorf("encode the key set: %w", err)
	}
	return b, nil
}

// decodeKept returns the stored set; an error where it is not one of this realm.
func decodeKept(b []byte, realm string) (*keySet, error) {
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("decode the kept key set: %w", err)
	}
	if k.Realm != realm {
		return nil, fmt.Errorf("the kept key set belongs to %q", k.Realm)
	}
	keys, err := parseKeys(k.JWKS)
	if err != nil {
		return nil, fmt.Errorf("decode the kept key set: %w", err)
	}
	return &keySet{keys: keys, fetched: k.Fetched}, nil
}
