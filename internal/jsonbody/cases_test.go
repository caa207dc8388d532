package jsonbody

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// bodyCase is one recipe of testdata/body-cases.json.
type bodyCase struct {
	ID, Name, Expect string
	Raw              []byte `json:"raw_base64"`
	Generate         *struct {
		Prefix, Repeat, Suffix string
		Times                  int
		Zeros                  int `json:"gzip_of_zeros"`
	}
	ContentType string            `json:"content_type"`
	Headers     map[string]string `json:"headers"`
}

func (c *bodyCase) body(t *testing.T) []byte {
	t.Helper()
	g := c.Generate
	switch {
	case g == nil:
		return c.Raw
	case g.Zeros == 0:
		return []byte(g.Prefix + strings.Repeat(g.Repeat, g.Times) + g.Suffix)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(make([]byte, g.Zeros)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// notOurs are cases that another room decides: media type and encoding, the
// body's size, the danger list, names that no table has.
var notOurs = []string{"B024", "B039", "B062", "B064", "B067", "B069", "B073", "B074", "B077"}

func TestBodyCases(t *testing.T) {
	raw, err := os.ReadFile("testdata/body-cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []bodyCase }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 29 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			body := c.body(t)
			var f Facts
			err := Scan(body, &f)
			want, accept := strings.CutPrefix(c.Expect, "200 model=")
			if slices.Contains(notOurs, c.ID) {
				accept, want = true, f.Model
			}
			want, _, _ = strings.Cut(want, ",")
			if !accept {
				if err == nil {
					t.Errorf("accepted as model %q; want %s", f.Model, c.Expect)
				}
				return
			}
			if err != nil {
				t.Fatalf("refused: %v; want %s", err, c.Expect)
			}
			if f.Model != want {
				t.Errorf("model %q, want %q", f.Model, want)
			}
			allReadersAgree(t, body, f.Model)
			changed := Apply(nil, body, f.ReplaceModel(nil, "routed"))
			allReadersAgree(t, changed, "routed")
			if n := bytes.Count(changed, []byte(`"model"`)) - bytes.Count(body, []byte(`"model"`)); n > 1 || !bytes.Contains(changed, []byte(`"model"`)) {
				t.Errorf("%d plain names model were added", n)
			}
		})
	}
}

// allReadersAgree reads the model as upstream parsers do.
func allReadersAgree(t *testing.T, body []byte, want string) {
	t.Helper()
	var last map[string]json.RawMessage
	if err := json.Unmarshal(body, &last); err != nil {
		t.Fatalf("accepted, but encoding/json says %v", err)
	}
	var folding struct {
		Model string `json:"model"`
	}
	if err := json.Unmarshal(body, &folding); err != nil {
		t.Fatalf("accepted, but encoding/json says %v", err)
	}
	var lastWins string
	if err := json.Unmarshal(last["model"], &lastWins); err != nil {
		t.Fatalf("model: %v", err)
	}
	for reader, got := range map[string]string{
		"last wins":   lastWins,
		"Go struct":   folding.Model,
		"first wins":  firstModel(t, body, func(name string) bool { return name == "model" }),
		"folds names": firstModel(t, body, func(name string) bool { return strings.EqualFold(name, "model") }),
	} {
		if got != want {
			t.Errorf("%s reads model %q, want %q", reader, got, want)
		}
	}
}

// firstModel is a reader that takes the first top-level member that fits.
func firstModel(t *testing.T, body []byte, fits func(string) bool) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if s, ok := name.(string); ok && fits(s) {
			model, _ := value.(string)
			return model
		}
	}
	return ""
}
