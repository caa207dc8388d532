package llmgateway

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMaskLine(t *testing.T) {
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl-_x"
	for _, tc := range []struct {
		name, line, want string
	}{
		{name: "an embedded user's token", line: `{"a":"llmgw_u_0123456789abcdef"}`, want: `{"a":"***"}`},
		{name: "a provider's key", line: `{"a":"key sk-ant-api03-abcdefgh is bad"}`, want: `{"a":"key *** is bad"}`},
		{name: "a JWT", line: `{"a":"` + jwt + `"}`, want: `{"a":"***"}`},
		{name: "a JWT that was cut", line: `{"a":"eyJhbGciOiJSUzI1NiJ9"}`, want: `{"a":"***"}`},
		{name: "a Google key", line: `AIzaSyA1234567890abcdefghij`, want: `***`},
		{name: "several in one line", line: `sk-aaaaaaaaaa sk-bbbbbbbbbb`, want: `*** ***`},
		{name: "in a key of the object", line: `{"sk-aaaaaaaaaa":1}`, want: `{"***":1}`},
		{name: "after an escaped line break", line: `{"a":"x\nsk-aaaaaaaaaa"}`, want: `{"a":"x\n***"}`},
		{name: "after an escaped code point", line: `{"a":"\u003csk-aaaaaaaaaa"}`, want: `{"a":"\u003c***"}`},
		{name: "after an escaped octet", line: `{"a":"Bearer%20sk-aaaaaaaaaa%2Fsk-bbbbbbbbbb"}`, want: `{"a":"Bearer%20***%2F***"}`},
		{name: "ours inside of a word", line: `{"a":"id7llmgw_u_0123456789abcdef"}`, want: `{"a":"id7***"}`},
		{name: "an opaque bearer token", line: `"Bearer 7f3a9c0d11"`, want: `"Bearer ***"`},
		{name: "the scheme in another case", line: `"bEaReR  7f3a9c0d11"`, want: `"bEaReR  ***"`},
		{name: "basic credentials", line: `"Basic dXNlcjpwYXNz+/=="`, want: `"Basic ***"`},
		{name: "a named value in an error's URL", line: `Get "http://x/y?api_key=opaque&beta=1": refused`, want: `Get "http://x/y?api_key=***&beta=1": refused`},
		{name: "a quoted named value", line: `"password=\"hunter2\" tail"`, want: `"password=\"***\" tail"`},
		{name: "a sign-in code", line: `/callback?code=4f2a&x=1`, want: `/callback?code=***&x=1`},
		{name: "a URL with a password", line: `"redis://llmgw:hunter2@valkey:6379"`, want: `"redis://***@valkey:6379"`},
		{name: "counts are no credentials", line: `max_tokens=16000`, want: `max_tokens=16000`},
		{name: "a word that ends like a key's beginning", line: `"task-runner-of-risk-free-asks"`, want: `"task-runner-of-risk-free-asks"`},
		{name: "a word about bearers", line: `bearer of bad news`, want: `bearer of bad news`},
		{name: "our own names", line: `llm_gateway llmgw_u_ llmgw:{abc}`, want: `llm_gateway llmgw_u_ llmgw:{abc}`},
		{name: "an address with an at sign in its path", line: `https://host/a@b`, want: `https://host/a@b`},
		{name: "a lone backslash at the end", line: `x\`, want: `x\`},
		{name: "a cut escape", line: `x\u12`, want: `x\u12`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, changed := maskLine([]byte(tc.line))
			if string(got) != tc.want || changed != (tc.line != tc.want) {
				t.Errorf("maskLine(%s) = %s, %v; want %s", tc.line, got, changed, tc.want)
			}
		})
	}
}

func TestSafeLink(t *testing.T) {
	for _, tc := range []struct {
		name, link, want string
	}{
		{name: "no query", link: "/v1/messages", want: "/v1/messages"},
		{name: "harmless parameters stay", link: "/v1/models?limit=20&beta=true", want: "/v1/models?limit=20&beta=true"},
		{name: "others go", link: "/v1/models?k=opaque&limit=20&x=y", want: "/v1/models?limit=20"},
		{name: "a query without harmless ones goes whole", link: "/cb?code=1&state=2", want: "/cb"},
		{name: "a harmless name does not carry anything", link: "/v1/models?after_id=%73k-aaaaaaaaaa", want: "/v1/models"},
		{name: "nor anything long", link: "/v1/models?beta=" + strings.Repeat("a", 65), want: "/v1/models"},
		{name: "a name in another spelling is another name", link: "/v1/models?Beta=1", want: "/v1/models"},
		{name: "fragments go", link: "https://h/p#access_token=x", want: "https://h/p"},
		{name: "a token behind percent signs", link: "/v1/%73k-aaaaaaaaaa", want: "***"},
		{name: "behind two layers of them", link: "/v1/%2573k-aaaaaaaaaa", want: "***"},
		{name: "a broken escape is no reason to stop", link: "/v1/%zz", want: "/v1/%zz"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := safeLink(tc.link); got != tc.want {
				t.Errorf("safeLink(%q) = %q, want %q", tc.link, got, tc.want)
			}
		})
	}
}

// FuzzMaskLine holds two promises: JSON stays JSON, and a masked line has
// nothing left to mask.
func FuzzMaskLine(f *testing.F) {
	for _, seed := range []string{
		`a sk-aaaaaaaaaa b`, "x\nBearer 0123456789", `redis://u:p@h "q"`, `key=\"v\"`, "\u2028eyJhbGciOiJSUzI1NiJ9.",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := json.Marshal(map[string]string{"msg": text, text: "x"})
		if err != nil {
			t.Skip()
		}
		once, _ := maskLine(line)
		if !json.Valid(once) {
			t.Fatalf("maskLine(%s) = %s, which is no JSON", line, once)
		}
		if twice, _ := maskLine(once); string(twice) != string(once) {
			t.Fatalf("masking %s again gives %s", once, twice)
		}
	})
}

func BenchmarkMaskLine(b *testing.B) {
	line := []byte(`{"level":"info","ts":1764000000.1,"msg":"handled request","request":{"remote_ip":"10.0.0.1","method":"POST","uri":"/v1/messages?beta=true","headers":{"User-Agent":["claude-cli/2.1 (external, cli)"],"Content-Type":["application/json"],"Anthropic-Version":["2023-06-01"]}},"status":200,"size":1234,"duration":0.42}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, changed := maskLine(line); changed {
			b.Fatal("nothing to mask here")
		}
	}
}
