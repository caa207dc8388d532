package jsonbody

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"unicode/utf8"
)

// seeds are the body cases and shapes that the scanner treats apart.
func seeds(f *testing.F) {
	f.Helper()
	raw, err := os.ReadFile("testdata/body-cases.json")
	if err != nil {
		f.Fatal(err)
	}
	var file struct{ Cases []bodyCase }
	if err := json.Unmarshal(raw, &file); err != nil {
		f.Fatal(err)
	}
	for _, c := range file.Cases {
		f.Add(c.Raw)
	}
	f.Add(agentBody(2<<10, filler))
	f.Add(schemaBody(1 << 10))
	f.Add([]byte(`{"model":"a","x":"\ud83d\ude00\ud83d\u0041\\\"#\/é€😀","y":[-0.5e-3,{"z":null}]}`))
}

// What is accepted is JSON and UTF-8, and every reader finds the same model.
func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var facts Facts
		if err := Scan(body, &facts); err != nil {
			if err.(*Error).Reason() == "" {
				t.Error("no reason")
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("accepted %q", body)
		}
		allReadersAgree(t, body, facts.Model)
		for _, m := range facts.Members {
			walkAll(t, body, m)
		}
	})
}

// walkAll reads a value with this package and with encoding/json.
func walkAll(t *testing.T, body []byte, m Member) {
	t.Helper()
	switch m.Kind {
	case String:
		var want string
		if err := json.Unmarshal(body[m.Value.Start:m.Value.End], &want); err != nil {
			t.Fatal(err)
		}
		got, err := Text(body, m.Value)
		if err != nil || got != want {
			t.Errorf("Text = %q, %v; want %q", got, err, want)
		}
	case Array:
		var want []json.RawMessage
		if err := json.Unmarshal(body[m.Value.Start:m.Value.End], &want); err != nil {
			t.Fatal(err)
		}
		n := 0
		for v := range Elements(body, m.Value) {
			if n < len(want) && !bytes.Equal(body[v.Start:v.End], want[n]) {
				t.Errorf("element %d = %s, want %s", n, body[v.Start:v.End], want[n])
			}
			n++
		}
		if n != len(want) {
			t.Errorf("%d elements, want %d", n, len(want))
		}
	case Object:
		for inner := range Fields(body, m.Value) {
			walkAll(t, body, inner)
		}
	}
}

// A new model changes the model's value (and an escaped name), nothing else.
func FuzzReplaceModel(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var facts Facts
		if Scan(body, &facts) != nil {
			return
		}
		const model = "qwen3-32b"
		value, name := facts.ModelValue, facts.modelName
		out := Apply(nil, body, facts.ReplaceModel(nil, model))
		want := string(body[:name.Start]) + `"model"` + string(body[name.End:value.Start]) + `"` + model + `"` + string(body[value.End:])
		if string(out) != want {
			t.Errorf("got %s\nwant %s", out, want)
		}
		allReadersAgree(t, out, model)
	})
}

// What is quoted reads back the same, in one way only.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c", "\x00\x1f\n\r\t", "<é\u2028😀>", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := AppendQuote(nil, s)
		var want string
		if err := json.Unmarshal(q, &want); err != nil {
			t.Fatalf("AppendQuote(%q) = %s: %v", s, q, err)
		}
		got, err := Text(q, Span{0, len(q)})
		if err != nil || got != want {
			t.Errorf("Text(AppendQuote(%q)) = %q, %v; want %q", s, got, err, want)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("AppendQuote(%q) reads back as %q", s, got)
		}
	})
}

func TestTextOfWhatIsNoString(t *testing.T) {
	body := []byte(`{"model":"m","n":12}`)
	for _, v := range []Span{{17, 19}, {0, 1}, {8, 99}, {-1, 3}} {
		if got, err := Text(body, v); err == nil {
			t.Errorf("Text(%v) = %q, want an error", v, got)
		}
	}
}
