package users

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
)

// maxFile bounds the users file: tens of thousands of people.
const maxFile = 16 << 20

// File is the users file.
type File struct {
	Users []User `json:"users"`
}

// User is one person.
type User struct {
	// Name identifies the person for good: quota and logs hang on it. 1 to 255
	// bytes without blanks at the ends and control characters.
	Name string `json:"name"`
	// Tier is a tier of the site. A person of another tier is refused.
	Tier string `json:"tier"`
	// Disabled refuses all tokens of the person and keeps the record.
	Disabled bool `json:"disabled,omitempty"`
	// Tokens are the person's tokens; none is allowed.
	Tokens []Token `json:"tokens,omitempty"`
}

// Token is one token of a person. The token itself is nowhere.
type Token struct {
	// SHA256 of the whole token, 64 lower-case hex digits.
	SHA256 string `json:"sha256"`
	// Label reminds the person where the token is used. Default: none.
	Label string `json:"label,omitempty"`
	// Expires ends the token. Default: never.
	Expires time.Time `json:"expires,omitzero"`
}

// ReadFile reads and checks a users file.
func ReadFile(path string) (*File, error) {
	raw, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	file, err := parseFile(raw)
	if err != nil {
		return nil, fmt.Errorf("users file %s: %w", path, err)
	}
	return file, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, fmt.Errorf("users file: %w", err)
	}
	defer func() { _ = f.Close() }()                     // read only; nothing is lost
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1)) //nolint:forbidigo // bounded by the LimitReader
	if err != nil {
		return nil, fmt.Errorf("users file: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("users file %s: larger than 16 MiB", path)
	}
	return raw, nil
}

// parseFile reads the one form: unknown members and names given twice are
// errors, so that a slip never takes a restriction away in silence.
func parseFile(raw []byte) (*File, error) {
	if _, err := strictjson.Object(raw, strictjson.MaxDepth); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	file := new(File)
	if err := d.Decode(file); err != nil {
		return nil, fmt.Errorf("not the expected form: %w", err)
	}
	return file, file.check()
}

// check refuses what would make one token or name mean two people.
func (f *File) check() error {
	names := make(map[string]bool, len(f.Users))
	owners := make(map[string]string)
	for _, u := range f.Users {
		switch {
		case !isName(u.Name):
			return fmt.Errorf("name %q: 1 to 255 bytes without control characters", u.Name)
		case names[u.Name]:
			return fmt.Errorf("user %q stands there twice", u.Name)
		case u.Tier == "":
			return fmt.Errorf("user %q has no tier", u.Name)
		}
		names[u.Name] = true
		for _, t := range u.Tokens {
			if raw, err := hex.DecodeString(t.SHA256); err != nil || len(raw) != 32 || strings.ToLower(t.SHA256) != t.SHA256 {
				return fmt.Errorf("user %q: a sha256 is not 64 lower-case hex digits", u.Name)
			}
			if owner, twice := owners[t.SHA256]; twice {
				return fmt.Errorf("users %q and %q have the same token", owner, u.Name)
			}
			owners[t.SHA256] = u.Name
		}
	}
	return nil
}

func isName(s string) bool {
	return s != "" && len(s) <= 255 && strings.TrimSpace(s) == s &&
		strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) }) < 0
}

// Write replaces the file at path in one step, readable by its owner only. A
// reader sees the old file or the new one.
func (f *File) Write(path string) (err error) {
	if err := f.check(); err != nil {
		return fmt.Errorf("users file %s: %w", path, err)
	}
	raw, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".users-*") // mode 0600
	if err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(append(raw, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	return nil
}
