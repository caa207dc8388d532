package jsonbody

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
)

func scanCode(t *testing.T, body string) Code {
	t.Helper()
	var f Facts
	err := Scan([]byte(body), &f)
	if err == nil {
		return 0
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("Scan(%.80q) returned %T, want *Error", body, err)
	}
	if e.Offset < 0 || e.Offset > len(body) {
		t.Errorf("Scan(%.80q): offset %d lies outside the body", body, e.Offset)
	}
	return e.Code
}

func TestScanRefuses(t *testing.T) {
	deep := func(n int) string {
		return `{"model":"m","x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	for _, tc := range []struct {
		name, body string
		want       Code
	}{
		{"nothing", "", Empty},
		{"whitespace", " \r\n\t", Empty},
		{"byte order mark", "\xef\xbb\xbf{\"model\":\"m\"}", BOM},
		{"UTF-16", "\xff\xfe{\x00", NotJSON},
		{"array", `[{"model":"m"}]`, NotObject},
		{"string", `"model"`, NotObject},
		{"broken array", `[1`, Truncated},
		{"two documents", `{"model":"m"}{"model":"n"}`, Trailing},
		{"NUL behind", "{\"model\":\"m\"}\x00", Trailing},
		{"form feed is no whitespace", "{\f\"model\":\"m\"}", NotJSON},
		{"comment", `{"model":"m"/**/}`, NotJSON},
		{"trailing comma", `{"model":"m",}`, NotJSON},
		{"leading comma", `{,"model":"m"}`, NotJSON},
		{"missing colon", `{"model" "m"}`, NotJSON},
		{"missing comma", `{"model":"m" "n":1}`, NotJSON},
		{"single quotes", `{'model':'m'}`, NotJSON},
		{"bare name", `{model:"m"}`, NotJSON},
		{"array: trailing comma", `{"model":"m","x":[1,]}`, NotJSON},
		{"array: two commas", `{"model":"m","x":[1,,2]}`, NotJSON},
		{"wrong bracket", `{"model":"m","x":[1}`, NotJSON},
		{"cut in a name", `{"mod`, Truncated},
		{"cut in an escape", `{"model":"m\`, Truncated},
		{"cut in a \\u escape", `{"model":"m\u00`, Truncated},
		{"cut in a word", `{"model":"m","x":tr`, Truncated},
		{"cut before the brace", `{"model":"m"`, Truncated},
		{"cut after the comma", `{"model":"m",`, Truncated},
		{"depth 201", deep(201), TooDeep},
		{"depth 100,000", deep(100_000), TooDeep},
		{"objects too", `{"model":"m","x":` + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 201), TooDeep},

		{"same name twice", `{"model":"a","model":"b"}`, Duplicate},
		{"same name, same value", `{"model":"a","model":"a"}`, Duplicate},
		{"escaped twin", `{"model":"a","mod\u0065l":"b"}`, Duplicate},
		{"unknown name twice", `{"model":"a","x":1,"x":2}`, Duplicate},
		{"escaped slash twin", `{"model":"a","x/":1,"x\/":2}`, Duplicate},
		{"empty name twice", `{"model":"a","":1,"":2}`, Duplicate},
		{"pair twin", `{"model":"a","😀":1,"\ud83d\ude00":2}`, Duplicate},
		{"odd case alone", `{"MODEL":"a"}`, OddCase},
		{"odd case beside", `{"model":"a","Model":"b"}`, OddCase},
		{"odd case before", `{"Model":"b","model":"a"}`, OddCase},
		{"odd case escaped", `{"model":"a","\u004dodel":"b"}`, OddCase},
		{"long s", `{"model":"a","ſtream":true}`, OddCase},
		{"long s escaped", `{"model":"a","\u017ftream":true}`, OddCase},
		{"Kelvin sign", "{\"model\":\"a\",\"max_to\u212aens\":1}", OddCase},
		{"odd limit", `{"model":"a","Max_Tokens":1}`, OddCase},
		{"odd completion limit", `{"model":"a","max_completion_tokenS":1}`, OddCase},
		{"odd n", `{"model":"a","N":1}`, OddCase},
		{"odd danger", `{"model":"a","Chat_Template":"x"}`, OddCase},
		{"lone surrogate in a name", `{"model":"a","\ud800":1}`, BadMember},
		{"long name", `{"model":"a","` + strings.Repeat("x", MaxName+1) + `":1}`, BadMember},

		{"no model", `{}`, NoModel},
		{"no model, members", `{"max_tokens":1}`, NoModel},
		{"model below", `{"metadata":{"model":"m"}}`, NoModel},
		{"model number", `{"model":5}`, BadModel},
		{"model object", `{"model":{"id":"m"}}`, BadModel},
		{"model empty", `{"model":""}`, BadModel},
		{"model null", `{"model":null}`, BadModel},
		{"model blank", `{"model":"m "}`, BadModel},
		{"model URL", `{"model":"http://169.254.169.254/"}`, BadModel},
		{"model URL escaped", `{"model":"http:\/\/x"}`, BadModel},
		{"model glob", `{"model":"*"}`, BadModel},
		{"model placeholder", `{"model":"{env.X}"}`, BadModel},
		{"model line break", `{"model":"m\nx"}`, BadModel},
		{"model NUL", `{"model":"m\u0000"}`, BadModel},
		{"model lone surrogate", `{"model":"m\ud800x"}`, BadModel},
		{"model other script", `{"model":"mоdel"}`, BadModel},
		{"model 257 bytes", `{"model":"` + strings.Repeat("m", 257) + `"}`, BadModel},
		{"stream text", `{"model":"m","stream":"true"}`, BadMember},
		{"stream number", `{"model":"m","stream":1}`, BadMember},
		{"max_tokens text", `{"model":"m","max_tokens":"1"}`, BadMember},
		{"max_tokens fraction", `{"model":"m","max_tokens":1.5}`, BadMember},
		{"max_tokens exponent", `{"model":"m","max_tokens":1e3}`, BadMember},
		{"max_tokens negative", `{"model":"m","max_tokens":-1}`, BadMember},
		{"max_tokens huge", `{"model":"m","max_tokens":9223372036854775808}`, BadMember},
		{"max_completion_tokens text", `{"model":"m","max_completion_tokens":"1"}`, BadMember},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := scanCode(t, tc.body); got != tc.want {
				t.Errorf("Scan(%.120q) = code %d, want %d", tc.body, got, tc.want)
			}
		})
	}
}

func TestScanNumbers(t *testing.T) {
	for _, n := range []string{"0", "-0", "1", "10", "-12", "0.5", "1e5", "1E+5", "1e-05", "-1.25e3", "9007199254740993123456789"} {
		if got := scanCode(t, `{"model":"m","x":`+n+`}`); got != 0 {
			t.Errorf("number %s: code %d, want accepted", n, got)
		}
	}
	for _, n := range []string{"+1", "01", "-01", "1.", ".5", "-", "--1", "1e", "1e+", "0x10", "NaN", "-NaN", "Infinity", "-Infinity", "1_000", "1,5", "٣", "True", "nul", "undefined", "tru", "1 2"} {
		if got := scanCode(t, `{"model":"m","x":`+n+`}`); got != NotJSON {
			t.Errorf("number %s: code %d, want NotJSON", n, got)
		}
	}
}

// Every position in a block, every byte: the fast path agrees with encoding/json
// and with UTF-8 wherever a byte lies.
func TestStringsAtEveryPosition(t *testing.T) {
	pieces := []string{
		`\n`, `\\`, `\"`, `\\\"`, `\"\"`, `\/#`, `\"#`, `\]`, `\\]`, `\u00e9`, `\u00zz`, `\x`, `\`, `"`, `#"#`,
		"é", "€", "😀", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\x80", "\xe2\x82", "\xff",
	}
	for c := range 256 {
		pieces = append(pieces, string([]byte{byte(c)}), `\`+string([]byte{byte(c)}))
	}
	for _, piece := range pieces {
		for before := range 140 {
			for _, after := range []int{0, 100} {
				body := `{"model":"m","x":"` + strings.Repeat("a", before) + piece + strings.Repeat("b", after) + `"}`
				code := scanCode(t, body)
				valid := json.Valid([]byte(body)) && strings.ToValidUTF8(body, "") == body
				if (code == 0) != valid {
					t.Fatalf("Scan of %q behind %d, before %d bytes: code %d, valid %t", piece, before, after, code, valid)
				}
			}
		}
	}
}

func TestScanFacts(t *testing.T) {
	body := []byte(` {"mod\u0065l" : "claude-3\u002dopus", "stream":true, "max_tokens":128000,"max_completion_tokens":null,
		"x":[1,"]"], "y":{"model":"z"}, "s":"ü", "z":false,"t":-1.5} `)
	var f Facts
	if err := Scan(body, &f); err != nil {
		t.Fatal(err)
	}
	if f.Model != "claude-3-opus" || string(body[f.ModelValue.Start:f.ModelValue.End]) != `"claude-3\u002dopus"` {
		t.Errorf("Model = %q at %s", f.Model, body[f.ModelValue.Start:f.ModelValue.End])
	}
	if !f.Stream || !f.HasMaxTokens || f.MaxTokens != 128000 || f.HasMaxCompletionTokens {
		t.Errorf("facts = %+v", f)
	}
	if got := string(body[f.MaxTokensValue.Start:f.MaxTokensValue.End]); got != "128000" {
		t.Errorf("MaxTokensValue = %q", got)
	}
	want := []struct {
		value string
		kind  Kind
	}{{`"claude-3\u002dopus"`, String}, {"true", True}, {"128000", Number}, {"null", Null}, {`[1,"]"]`, Array}, {`{"model":"z"}`, Object}, {`"ü"`, String}, {"false", False}, {"-1.5", Number}}
	if len(f.Members) != len(want) {
		t.Fatalf("%d members, want %d", len(f.Members), len(want))
	}
	for i, m := range f.Members {
		if got := string(body[m.Value.Start:m.Value.End]); got != want[i].value || m.Kind != want[i].kind {
			t.Errorf("member %d = %s, kind %d; want %s, kind %d", i, got, m.Kind, want[i].value, want[i].kind)
		}
	}
	if m, ok := f.Lookup(body, "model"); !ok || m.Value != f.ModelValue {
		t.Errorf("Lookup(model) = %+v, %t", m, ok)
	}
	if _, ok := f.Lookup(body, "Model"); ok {
		t.Error("Lookup(Model) found a member")
	}
}

// A Facts that was used before tells nothing of the body before.
func TestScanForgets(t *testing.T) {
	var f Facts
	for _, body := range []string{
		`{"model":"a","stream":true,"max_tokens":5,"max_completion_tokens":6}`,
		`{"max_tokens":5}`,
		`{"model":"b"}`,
	} {
		err := Scan([]byte(body), &f)
		if body == `{"max_tokens":5}` && err == nil {
			t.Error("the model of the body before was taken for this one")
		}
	}
	if f.Model != "b" || f.Stream || f.HasMaxTokens || f.HasMaxCompletionTokens || len(f.Members) != 1 {
		t.Errorf("facts of an earlier body are left: %+v", f)
	}
}

// 100,000 members are refused at the 1,025th, not compared with each other.
func TestScanManyMembers(t *testing.T) {
	members := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"model":"m"`)
		for i := range n - 1 {
			b.WriteString(`,"x` + strings.Repeat("y", i%7) + string(rune('a'+i%26)) + strconv.Itoa(i) + `":1`)
		}
		return b.String() + "}"
	}
	if got := scanCode(t, members(MaxMembers)); got != 0 {
		t.Errorf("%d members: code %d, want accepted", MaxMembers, got)
	}
	if got := scanCode(t, members(MaxMembers+1)); got != TooMany {
		t.Errorf("%d members: code %d, want TooMany", MaxMembers+1, got)
	}
	if got := scanCode(t, members(100_000)); got != TooMany {
		t.Errorf("100,000 members: code %d, want TooMany", got)
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	bodies := [][]byte{agentBody(150<<10, filler), agentBody(4<<10, prose), schemaBody(8 << 10), []byte(`{"mod\u0065l":"\u0061b"}`)}
	var f Facts
	scanAll := func() {
		for _, body := range bodies {
			if err := Scan(body, &f); err != nil {
				t.Fatal(err)
			}
		}
	}
	scanAll()
	if n := testing.AllocsPerRun(20, scanAll); n != 0 {
		t.Errorf("%v allocations in steady state, want 0", n)
	}
}

// A reason is a sentence for a person and repeats nothing of the body but a
// harmless name.
func TestReasons(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"a","model":"b"}`:           "has two members named model",
		`{"model":"a","<b>":1,"<b>":1}`:       "has two members named something unreadable",
		`{"model":"a","MODEL":"b"}`:           "has a member named MODEL; write it in lower case",
		`{"model":"a","stream":1}`:            "needs true or false for stream",
		`{"model":"a","max_tokens":"secret"}`: "needs a whole number for max_tokens",
		`{"model":"a"`:                        "ends too early (byte 12)",
		`{"model":secret}`:                    "is not JSON (byte 9)",
		"{\"model\":\"a\",\"x\":\"\xff\"}":    "is not UTF-8 (byte 18)",
	} {
		var f Facts
		var e *Error
		if err := Scan([]byte(body), &f); !errors.As(err, &e) || e.Reason() != want {
			t.Errorf("Scan(%s) = %v, want reason %q", body, err, want)
		}
	}
	for code := range BadMember + 2 {
		if e := (&Error{Code: code}); len(e.Reason()) > 120 || e.Reason() == "" {
			t.Errorf("reason of code %d: %q", code, e.Reason())
		}
	}
}
