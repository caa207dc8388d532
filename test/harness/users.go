package harness

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/openova-io/llm-gateway/auth/users"
)

// Users is a users file with one person and one token for each name.
type Users struct {
	// Path is the file.
	Path string
	// Token is each person's token, by name.
	Token map[string]string
}

// WriteUsers writes a users file for people and their tiers.
func WriteUsers(t testing.TB, tiers map[string]string) *Users {
	t.Helper()
	u := &Users{Path: filepath.Join(t.TempDir(), "users.json"), Token: make(map[string]string, len(tiers))}
	var file users.File
	for _, name := range slices.Sorted(maps.Keys(tiers)) {
		token, hash := users.NewToken()
		u.Token[name] = token
		file.Users = append(file.Users, users.User{Name: name, Tier: tiers[name], Tokens: []users.Token{{SHA256: hash}}})
	}
	if err := file.Write(u.Path); err != nil {
		t.Fatal(err)
	}
	return u
}
