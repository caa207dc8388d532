package jsonbody

import "testing"

func TestHasPrefix(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		want        bool
	}{
		{name: "plain", value: `"a-b c"`, want: true},
		{name: "the whole string", value: `"a-b"`, want: true},
		{name: "escaped letters", value: `"\u0061\u002Db\n"`, want: true},
		{name: "an escape of one letter elsewhere", value: `"a\/b"`},
		{name: "shorter", value: `"a-"`},
		{name: "empty", value: `""`},
		{name: "another case", value: `"A-b"`},
		{name: "behind a blank", value: `" a-b"`},
		{name: "an escape that ends the string", value: `"a\\"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := []byte(`{"x":` + tc.value + `}`)
			v := Span{Start: 5, End: 5 + len(tc.value)}
			if got := HasPrefix(body, v, "a-b"); got != tc.want {
				t.Errorf("HasPrefix(%s) = %t, want %t", tc.value, got, tc.want)
			}
		})
	}
}
