package jsonbody

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func scanned(t *testing.T, body string) *Facts {
	t.Helper()
	f := new(Facts)
	if err := Scan([]byte(body), f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRemove(t *testing.T) {
	const body = ` { "model":"m" , "a":1,"b" : [2] ,"c":{"x":3} } `
	for _, tc := range []struct {
		name    string
		indexes []int
		want    string
	}{
		{"none", nil, body},
		{"first", []int{0}, ` { "a":1,"b" : [2] ,"c":{"x":3} } `},
		{"middle", []int{1}, ` { "model":"m","b" : [2] ,"c":{"x":3} } `},
		{"last", []int{3}, ` { "model":"m" , "a":1,"b" : [2] } `},
		{"first two", []int{0, 1}, ` { "b" : [2] ,"c":{"x":3} } `},
		{"last two", []int{2, 3}, ` { "model":"m" , "a":1 } `},
		{"first and last", []int{0, 3}, ` { "a":1,"b" : [2] } `},
		{"every other", []int{0, 2}, ` { "a":1 ,"c":{"x":3} } `},
		{"all but the first", []int{1, 2, 3}, ` { "model":"m" } `},
		{"all", []int{0, 1, 2, 3}, ` {  } `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := scanned(t, body)
			if got := string(Apply(nil, []byte(body), f.Remove(nil, tc.indexes...))); got != tc.want {
				t.Errorf("Remove(%v)\n got %s\nwant %s", tc.indexes, got, tc.want)
			}
		})
	}
}

// Every set of members can go, together with a new model and an addition.
func TestEditsTogether(t *testing.T) {
	const body = `{"a":1,"b":[2],"model":"m","c":{"x":3},"d":"e"}`
	f := scanned(t, body)
	names := []string{"a", "b", "model", "c", "d"}
	for set := range 1 << len(names) {
		if set&(1<<2) != 0 {
			continue // the model stays
		}
		var gone []int
		want := map[string]bool{"model": true, "new": true, "more": true}
		for i, name := range names {
			if set&(1<<i) != 0 {
				gone = append(gone, i)
			} else {
				want[name] = true
			}
		}
		edits := []Edit{f.Append("new", []byte(`"n"`))}
		edits = f.Remove(edits, gone...)
		edits = f.ReplaceModel(edits, "other")
		edits = append(edits, f.Append("more", []byte("{}")))
		out := Apply(nil, []byte(body), edits)
		var got map[string]any
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("without %v: %s: %v", gone, out, err)
		}
		if len(got) != len(want) || got["model"] != "other" || got["new"] != "n" {
			t.Errorf("without %v: %s", gone, out)
		}
		for name := range want {
			if _, ok := got[name]; !ok {
				t.Errorf("without %v: %s lost %s", gone, out, name)
			}
		}
	}
}

func TestReplaceModel(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"m","x":"model"}`:       `{"model":"qwen3","x":"model"}`,
		`{ "mod\u0065l" : "\u006d" }`:     `{ "model" : "qwen3" }`,
		`{"x":{"model":"m"},"model":"m"}`: `{"x":{"model":"m"},"model":"qwen3"}`,
	} {
		f := scanned(t, body)
		if got := string(Apply([]byte{}, []byte(body), f.ReplaceModel(nil, "qwen3"))); got != want {
			t.Errorf("ReplaceModel(%s) = %s, want %s", body, got, want)
		}
	}
}

func TestApplyKeepsWhatDstHolds(t *testing.T) {
	got := Apply([]byte("before "), []byte("0123456789"), []Edit{
		{Span{8, 10}, []byte("z")},
		{Span{2, 2}, []byte("<")},
		{Span{2, 4}, nil},
		{Span{2, 2}, []byte(">")},
	})
	if want := "before 01<>4567z"; string(got) != want {
		t.Errorf("Apply = %q, want %q", got, want)
	}
}

func TestApplyPanicsOnOverlap(t *testing.T) {
	for _, edits := range [][]Edit{
		{{Span{0, 3}, nil}, {Span{2, 4}, nil}},
		{{Span{0, 3}, nil}, {Span{1, 1}, []byte("x")}},
		{{Span{3, 2}, nil}},
		{{Span{0, 99}, nil}},
	} {
		func() {
			defer func() {
				if said, _ := recover().(string); !strings.Contains(said, "internal error") {
					t.Errorf("Apply with %v: panic %q, want an internal error", edits, said)
				}
			}()
			Apply(nil, []byte("0123456789"), edits)
		}()
	}
}

func TestWalk(t *testing.T) {
	body := []byte(`{"model":"m","list":[ 1 , "]" ,{"a":[]},[ ],null,true,false],"object":{ "x" : 1 , "\u0079":"}" , "x":[{}] },"none":[ ],"void":{ }}`)
	f := scanned(t, string(body))
	value := func(name string) Span {
		m, ok := f.Lookup(body, name)
		if !ok {
			t.Fatalf("no member %s", name)
		}
		return m.Value
	}
	var got []string
	var spans []Span
	for v, kind := range Elements(body, value("list")) {
		spans = append(spans, v)
		got = append(got, fmt.Sprintf("%s=%d", body[v.Start:v.End], kind))
	}
	want := []string{"1=2", `"]"=1`, `{"a":[]}=3`, "[ ]=4", "null=7", "true=5", "false=6"}
	if !slices.Equal(got, want) {
		t.Errorf("Elements = %q, want %q", got, want)
	}
	out := Apply(nil, body[:], RemoveElements(nil, spans, 0, 1, 6))
	var after struct {
		List []any `json:"list"`
	}
	if err := json.Unmarshal(out, &after); err != nil || len(after.List) != 4 {
		t.Errorf("RemoveElements left %s, %v", out, err)
	}

	got = nil
	for m := range Fields(body, value("object")) {
		got = append(got, string(body[m.Name.Start:m.Name.End])+string(body[m.Value.Start:m.Value.End]))
		if m.Named(body, "y") && m.Kind != String {
			t.Errorf("y has kind %d", m.Kind)
		}
	}
	if want := []string{`"x"1`, `"\u0079""}"`, `"x"[{}]`}; !slices.Equal(got, want) {
		t.Errorf("Fields = %q, want %q", got, want)
	}

	for _, name := range []string{"none", "void", "model"} {
		for range Elements(body, value(name)) {
			t.Errorf("Elements(%s) yields something", name)
		}
		for range Fields(body, value(name)) {
			t.Errorf("Fields(%s) yields something", name)
		}
	}
	for range Elements(body, value("list")) {
		break // must stop without a second yield
	}
	for range Fields(body, value("object")) {
		break
	}
}
