//go:build attack

package attack

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files are the case files and the lists in them that hold cases.
var files = []struct {
	name  string
	lists []string
}{
	{"jwt-attacks.json", []string{"cases"}},
	{"body-cases.json", []string{"cases"}},
	{"path-cases.json", []string{"cases", "framing"}},
	{"header-cases.json", []string{"cases"}},
	// Ours, by the same rules and in the same form.
	{"more-jwt.json", []string{"cases"}},
	{"more-body.json", []string{"cases"}},
	{"more-path.json", []string{"cases"}},
	{"more-header.json", []string{"cases"}},
}

// readCases decodes one list of a case file. Unknown members of a case are
// errors, so that no part of a recipe is left out unseen.
func readCases[T any](t *testing.T, name, list string) []T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	d := json.NewDecoder(bytes.NewReader(file[list]))
	d.DisallowUnknownFields()
	var cases []T
	if err := d.Decode(&cases); err != nil || len(cases) == 0 {
		t.Fatalf("%s: %d cases under %s, %v", name, len(cases), list, err)
	}
	return cases
}

// readBoth reads the given cases and ours of the same kind.
func readBoth[T any](t *testing.T, given, ours string) []T {
	t.Helper()
	return append(readCases[T](t, given, "cases"), readCases[T](t, ours, "cases")...)
}

// allIDs lists every case of the files.
func allIDs(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, f := range files {
		for _, list := range f.lists {
			for _, c := range readCases[map[string]any](t, f.name, list) {
				id, ok := c["id"].(string)
				if !ok {
					t.Fatalf("%s: a case has no id", f.name)
				}
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// bodyCase is a case of body-cases.json.
type bodyCase struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Raw       string            `json:"raw_base64"`
	Generate  *generate         `json:"generate"`
	Type      string            `json:"content_type"`
	Headers   map[string]string `json:"headers"`
	ModelSeen map[string]string `json:"model_seen"`
	Expect    string            `json:"expect"`
	Why       string            `json:"why"`
}

// generate describes a body that is too large to write down.
type generate struct {
	Prefix  string `json:"prefix"`
	Repeat  string `json:"repeat"`
	Times   int    `json:"times"`
	Suffix  string `json:"suffix"`
	GzipOf0 int    `json:"gzip_of_zeros"`
}

func (c bodyCase) body() ([]byte, error) {
	if c.Generate == nil {
		return base64.StdEncoding.DecodeString(c.Raw)
	}
	if c.Generate.GzipOf0 > 0 {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(make([]byte, c.Generate.GzipOf0)); err != nil {
			return nil, err
		}
		return b.Bytes(), z.Close()
	}
	return []byte(c.Generate.Prefix + strings.Repeat(c.Generate.Repeat, c.Generate.Times) + c.Generate.Suffix), nil
}

// pathCase is a case of path-cases.json.
type pathCase struct {
	ID      string `json:"id"`
	Method  string `json:"method"`
	Target  string `json:"target"`
	Matcher string `json:"caddy_path_matcher_v1_messages"`
	Expect  string `json:"expect"`
	Why     string `json:"why"`
	Proto   string `json:"proto"`
}

// framingCase is a raw HTTP/1.1 message, or the name of one to build.
type framingCase struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Request string `json:"request"`
	Expect  string `json:"expect"`
}

// headerCase is a case of header-cases.json.
type headerCase struct {
	ID     string            `json:"id"`
	Side   string            `json:"side"`
	Name   string            `json:"name"`
	Send   map[string]string `json:"send"`
	Expect string            `json:"expect"`
	Why    string            `json:"why"`
}

// repeated expands the notation @A*N inside a text.
func repeated(text string) (string, error) {
	before, count, ok := strings.Cut(text, "@A*")
	if !ok {
		return text, nil
	}
	var n int
	if _, err := fmt.Sscanf(count, "%d", &n); err != nil || fmt.Sprint(n) != count {
		return "", fmt.Errorf("unknown notation %q", text)
	}
	return before + strings.Repeat("A", n), nil
}
