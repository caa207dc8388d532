package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
)

func TestObject(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		depth    int
		want     map[string]any
		err      error
	}{
		{name: "empty", in: " {} \n", want: map[string]any{}},
		{name: "all kinds", in: `{"a":"x","b":[1,-2.5e+3,true,false,null],"c":{"d":{}}}`, want: map[string]any{
			"a": "x",
			"b": []any{strictjson.Number("1"), strictjson.Number("-2.5e+3"), true, false, nil},
			"c": map[string]any{"d": map[string]any{}},
		}},
		{name: "spaces as Keycloak writes them", in: `{"alg":"RS256","typ" : "JWT"}`, want: map[string]any{"alg": "RS256", "typ": "JWT"}},
		{name: "escapes", in: `{"\u0061":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"}`, want: map[string]any{"a": "\"\\/\b\f\n\r\té😀é"}},
		{name: "names differ by case", in: `{"sub":"a","SUB":"b"}`, want: map[string]any{"sub": "a", "SUB": "b"}},
		{name: "a name twice", in: `{"a":1,"a":1}`, err: strictjson.ErrDuplicate},
		{name: "a name twice, once escaped", in: `{"sub":1,"s\u0075b":1}`, err: strictjson.ErrDuplicate},
		{name: "a name twice deep inside", in: `{"a":[{"b":1,"b":2}]}`, err: strictjson.ErrDuplicate},
		{name: "depth reached", in: `{"a":[{}]}`, depth: 3, want: map[string]any{"a": []any{map[string]any{}}}},
		{name: "depth passed", in: `{"a":[{}]}`, depth: 2, err: strictjson.ErrDepth},
		{name: "array", in: `[]`, err: strictjson.ErrNotObject},
		{name: "nothing", in: ``, err: strictjson.ErrNotObject},
		{name: "byte order mark", in: "\ufeff{}", err: strictjson.ErrNotObject},
		{name: "something behind", in: `{}{}`, err: strictjson.ErrSyntax},
		{name: "a zero byte behind", in: "{}\x00", err: strictjson.ErrSyntax},
		{name: "trailing comma", in: `{"a":1,}`, err: strictjson.ErrSyntax},
		{name: "trailing comma in a list", in: `{"a":[1,]}`, err: strictjson.ErrSyntax},
		{name: "no value", in: `{"a"}`, err: strictjson.ErrSyntax},
		{name: "bare name", in: `{a:1}`, err: strictjson.ErrSyntax},
		{name: "leading zero", in: `{"a":01}`, err: strictjson.ErrSyntax},
		{name: "leading plus", in: `{"a":+1}`, err: strictjson.ErrSyntax},
		{name: "no digits behind the point", in: `{"a":1.}`, err: strictjson.ErrSyntax},
		{name: "NaN", in: `{"a":NaN}`, err: strictjson.ErrSyntax},
		{name: "half a word", in: `{"a":tru}`, err: strictjson.ErrSyntax},
		{name: "control character", in: "{\"a\":\"\n\"}", err: strictjson.ErrSyntax},
		{name: "unknown escape", in: `{"a":"\x"}`, err: strictjson.ErrSyntax},
		{name: "broken UTF-8", in: "{\"a\":\"\xff\"}", err: strictjson.ErrText},
		{name: "broken UTF-8 beside an escape", in: "{\"a\":\"\\n\xff\"}", err: strictjson.ErrText},
		{name: "half a surrogate pair", in: `{"a":"\ud83d"}`, err: strictjson.ErrText},
		{name: "two first halves", in: `{"a":"\ud83d\ud83d"}`, err: strictjson.ErrText},
		{name: "unfinished text", in: `{"a":"`, err: strictjson.ErrSyntax},
		{name: "unfinished escape", in: `{"a":"\u00`, err: strictjson.ErrSyntax},
		{name: "ten thousand brackets", in: `{"a":` + strings.Repeat("[", 10000), err: strictjson.ErrDepth},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.depth == 0 {
				tc.depth = strictjson.MaxDepth
			}
			got, err := strictjson.Object([]byte(tc.in), tc.depth)
			if !errors.Is(err, tc.err) || tc.err == nil && !reflect.DeepEqual(got, tc.want) {
				t.Errorf("Object(%q, %d) = %#v, %v; want %#v, %v", tc.in, tc.depth, got, err, tc.want, tc.err)
			}
		})
	}
}

// What we accept, the standard library accepts too, and reads the same names.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,{"b":"\u00e9"}]}`, `{"a":-0.1e5}`, `{"a":"\ud83d\ude00"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := strictjson.Object(b, strictjson.MaxDepth)
		if err != nil {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %q: %v", b, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d names, encoding/json reads %d", b, len(got), len(want))
		}
		for name, v := range got {
			if s, ok := v.(string); ok && want[name] != s {
				t.Fatalf("%q: %q = %q, encoding/json reads %v", b, name, s, want[name])
			}
		}
	})
}
