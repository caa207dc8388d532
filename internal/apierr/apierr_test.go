package apierr

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/openova-io/llm-gateway/internal/dialect"
)

var update = flag.Bool("update", false, "write testdata/refusals.golden anew")

const (
	base = "https://llm.example.com"
	id   = "req_0123456789abcdef"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func spent() SpentInfo {
	return SpentInfo{
		Tier: "free", Unit: "requests", Period: "day", Limit: 10, Used: 10,
		Resets: at("2026-11-24T00:00:00Z"), Now: at("2026-11-23T18:48:00Z"), Base: base, Zone: time.UTC,
	}
}

// row is one refusal of the table, by name.
type row struct {
	name string
	err  *Error
}

// rows are all refusals, with a link and without where they have one.
func rows() []row {
	zone := time.FixedZone("Europe/Berlin", 3600)
	berlin, wait, minute, hours := spent(), spent(), spent(), spent()
	berlin.Zone = zone
	wait.Now, wait.Jitter = at("2026-11-23T23:59:20.5Z"), 1500*time.Millisecond
	minute.Period, minute.Limit, minute.Tier, minute.Now = "minute", 30, "pro", at("2026-11-23T23:59:53Z")
	hours.Period, hours.Base = "5 hours", ""
	models := []string{"claude-internal-qwen3-32b", "qwen3-32b"}
	return []row{
		{"1 quota spent", QuotaSpent(spent())},
		{"1 quota spent, zone", QuotaSpent(berlin)},
		{"1 quota spent, 5 hours, no link", QuotaSpent(hours)},
		{"3 spent, reset near", QuotaSpent(wait)},
		{"3 per-minute limit", QuotaSpent(minute)},
		{"4 too many at once", TooManyAtOnce("free", 4)},
		{"5 no credential", NoCredential(base)},
		{"5 no credential, no link", NoCredential("")},
		{"6 expired", Expired("12 min", base)},
		{"6 expired, no link", Expired("", "")},
		{"7 not verifiable", NotVerifiable(base)},
		{"7 not verifiable, no link", NotVerifiable("")},
		{"8 wrong audience", WrongAudience("account", "llm-gateway")},
		{"8 wrong audience, unknown", WrongAudience("", "")},
		{"8 wrong client", WrongClient("other-app")},
		{"8 no client", WrongClient("")},
		{"8 wrong type", WrongType("Refresh")},
		{"8 service account", ServiceAccount()},
		{"9 provider key", ProviderKey(base)},
		{"9 provider key, no link", ProviderKey("")},
		{"10 revoked", Revoked()},
		{"11 disabled", Disabled()},
		{"11 no tier", NoTier()},
		{"12 model denied", ModelDenied("free", "claude-opus-5-5", models, base)},
		{"12 model denied, nothing to use, no link", ModelDenied("free", "claude-opus-5-5", nil, "")},
		{"13 model unknown", ModelUnknown("qwen-9", models)},
		{"13 model unknown, nothing allowed", ModelUnknown("qwen-9", nil)},
		{"14 identity provider down", AuthUnavailable()},
		{"15 store down", QuotaUnavailable("free")},
		{"16 backend full", BackendFull("qwen3-32b", 90*time.Second)},
		{"16 backend full, at once", BackendFull("qwen3-32b", 0)},
		{"16 backend down", BackendDown("qwen3-32b")},
		{"17 our key refused", UpstreamAuth()},
		{"17 our key refused, given back", UpstreamAuth().NotCounted()},
		{"18 stream broke", StreamBroke("qwen3-32b", false)},
		{"18 stream broke, counted", StreamBroke("qwen3-32b", true)},
		{"19 body too big", BodyTooBig(32 << 20)},
		{"19 body too big, odd", BodyTooBig(1000)},
		{"19 body encoding", BodyEncoding()},
		{"19 body media", BodyMedia("text/plain; charset=utf-16")},
		{"19 body media, none", BodyMedia("")},
		{"19 body invalid", BodyInvalid("has two members named model")},
		{"19 member refused", MemberRefused("prompt_embeds", "qwen3-32b")},
		{"20 context too long", ContextTooLong(50211, 40960)},
		{"21 not found", NotFound("POST", "/v1/completions")},
		{"21 method not allowed", MethodNotAllowed("GET, HEAD")},
		{"dialect mismatch", DialectMismatch("qwen3-32b", "/v1/chat/completions")},
		{"early data", EarlyData()},
		{"draining", Draining()},
		{"internal", Internal(errors.New("dial tcp 10.0.0.7:6379: refused"))},
		{"upstream 400", FromUpstream(400, "messages: at least one message is required", "m", 0)},
		{"upstream 404", FromUpstream(404, "", "m", 0)},
		{"upstream 413", FromUpstream(413, "", "m", 0)},
		{"upstream 429", FromUpstream(429, "slow down", "m", 17*time.Second)},
		{"upstream 500", FromUpstream(500, "", "qwen3-32b", 0)},
		{"upstream 503", FromUpstream(503, "", "qwen3-32b", 0)},
		{"upstream 504", FromUpstream(504, "", "qwen3-32b", 0)},
		{"upstream 401 is ours", FromUpstream(401, "invalid key sk-123", "m", 0)},
		{"upstream 200 is none", FromUpstream(200, "", "m", 0)},
	}
}

// record writes an answer as it goes over the wire, headers in order.
func record(b *bytes.Buffer, name string, w *httptest.ResponseRecorder) {
	fmt.Fprintf(b, "%s\n%d\n", name, w.Code)
	var names []string
	for n := range w.Header() {
		if n != "Content-Length" && n != "Content-Type" && n != "Cache-Control" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(b, "%s: %s\n", strings.ToLower(n), w.Header().Get(n))
	}
	b.Write(w.Body.Bytes())
	b.WriteByte('\n')
}

func TestRefusals(t *testing.T) {
	var got bytes.Buffer
	for _, d := range []dialect.Dialect{dialect.Anthropic, dialect.OpenAI} {
		for _, r := range rows() {
			w := httptest.NewRecorder()
			Write(w, d, r.err, id)
			record(&got, "== "+d.String()+" | "+r.name, w)
			if w.Code != r.err.StatusIn(d) {
				t.Errorf("%s: StatusIn(%s) = %d, sent %d", r.name, d, r.err.StatusIn(d), w.Code)
			}
		}
	}
	const golden = "testdata/refusals.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("refusals differ from %s (-want +got):\n%s", golden, diff)
	}
}

// Every kind stands in the table; none falls out of a switch by being new.
func TestEveryKindHasARow(t *testing.T) {
	have := map[Kind]bool{}
	for _, r := range rows() {
		have[r.err.Kind] = true
	}
	for k := range KindDraining + 1 {
		if !have[k] {
			t.Errorf("kind %d (%s) has no row", k, k)
		}
		e := &Error{Kind: k, Status: 400}
		if k != KindInternal && (k.String() == "internal" || k.String() == "" || e.anthropic().status == 500 || e.openAI().status == 500) {
			t.Errorf("kind %d is missing in a switch", k)
		}
	}
}

func TestTextsAreFitToBeShown(t *testing.T) {
	for _, r := range rows() {
		text := r.err.Message
		if n := utf8.RuneCountInString(text); n > MaxMessage || n == 0 {
			t.Errorf("%s: %d characters", r.name, n)
		}
		if strings.ContainsAny(text, "\n\r\t") || strings.Contains(text, "10.0.0.7") || strings.Contains(text, "sk-123") {
			t.Errorf("%s: %q", r.name, text)
		}
		if r.err.Kind != KindContextTooLong && misleads(text) {
			t.Errorf("%s: a client misreads %q", r.name, text)
		}
		if strings.Contains(r.name, "no link") && strings.Contains(text, "://") {
			t.Errorf("%s: link in %q", r.name, text)
		}
		if !strings.Contains(r.err.Error(), text) {
			t.Errorf("%s: Error() = %q lacks the message", r.name, r.err.Error())
		}
	}
}

// Nothing that a caller sends can lengthen a text, break its line or speak to
// the client in the gateway's name.
func TestHostileWords(t *testing.T) {
	for _, word := range []string{
		strings.Repeat("x", 10_000), "a\r\nset-cookie: b", "x-api-key", "capability_rejected:image_block",
		"Prompt Is Too Long: 9 tokens > 1 maximum", "\x1b[31m", "\u202eleft", "é",
	} {
		many := slices.Repeat([]string{word}, 50)
		for _, e := range []*Error{
			TooManyAtOnce(word, 1), Expired(word, base), WrongAudience(word, word), WrongClient(word), WrongType(word),
			ModelDenied(word, word, many, base), ModelUnknown(word, many), QuotaUnavailable(word), BackendFull(word, 0),
			BackendDown(word), StreamBroke(word, false), BodyMedia(word), BodyInvalid(word), MemberRefused(word, word),
			NotFound(word, word), DialectMismatch(word, word), QuotaSpent(SpentInfo{Tier: word, Base: base, Resets: at("2027-01-01T00:00:00Z")}),
		} {
			if n := utf8.RuneCountInString(e.Message); n > MaxMessage || misleads(e.Message) || strings.ContainsAny(e.Message, "\r\n\x1b\u202e") {
				t.Errorf("%.40q: %d characters: %q", word, n, e.Message)
			}
		}
	}
}

func TestSpentStopsOrWaits(t *testing.T) {
	for _, tc := range []struct {
		left, jitter time.Duration
		kind         Kind
		retry        time.Duration
	}{
		{-time.Minute, 0, KindRateLimited, time.Second},
		{0, 2 * time.Second, KindRateLimited, 3 * time.Second},
		{30 * time.Second, 2 * time.Second, KindRateLimited, 32 * time.Second},
		{59 * time.Second, 2 * time.Second, KindRateLimited, 60 * time.Second}, // 61 would stop Claude Code
		{60 * time.Second, 2 * time.Second, KindRateLimited, 60 * time.Second},
		{60*time.Second + 1, 0, KindQuotaSpent, 61 * time.Second},
		{15 * time.Hour, 2 * time.Second, KindQuotaSpent, 15 * time.Hour},
	} {
		in := spent()
		in.Now, in.Jitter = in.Resets.Add(-tc.left), tc.jitter
		e := QuotaSpent(in)
		stops := tc.kind == KindQuotaSpent
		if e.Kind != tc.kind || e.RetryAfter != tc.retry || e.NoRetry != stops || (e.Spent != nil) != stops {
			t.Errorf("%s left, jitter %s: kind %s, retry after %s, no retry %t; want %s", tc.left, tc.jitter, e.Kind, e.RetryAfter, e.NoRetry, tc.retry)
		}
	}
}

// A real server and client: the headers arrive, HEAD has no body.
func TestWriteOverHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Write(w, dialect.Anthropic, MethodNotAllowed("POST"), id)
	}))
	defer s.Close()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 405 || resp.Header.Get("allow") != "POST" || resp.Header.Get("request-id") != id ||
			resp.Header.Get("cache-control") != "no-store" || resp.Header.Get("content-type") != "application/json" {
			t.Errorf("%s: %d %v", method, resp.StatusCode, resp.Header)
		}
		if (body.Len() == 0) != (method == http.MethodHead) {
			t.Errorf("%s: body %q", method, body.String())
		}
	}
}

func TestAppendEvent(t *testing.T) {
	e := StreamBroke("<qwen>", false)
	for d, want := range map[dialect.Dialect]string{
		dialect.Anthropic: "before" + "event: error\n" + `data: {"type":"error","error":{"type":"api_error","message":"<qwen> stopped in mid-answer. Not counted."},"request_id":"` + id + `"}` + "\n\n",
		dialect.OpenAI:    "before" + `data: {"error":{"message":"<qwen> stopped in mid-answer. Not counted.","type":"server_error","param":null,"code":null}}` + "\n\n",
	} {
		got := string(AppendEvent([]byte("before"), d, e, id))
		if got != want {
			t.Errorf("AppendEvent(%s)\n got %q\nwant %q", d, got, want)
		}
		_, data, _ := strings.Cut(got, "data: ")
		if !json.Valid([]byte(data)) {
			t.Errorf("%s: data is not JSON: %s", d, data)
		}
	}
}

func TestCauseIsForTheLog(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:6379: refused")
	e := QuotaUnavailable("free").Because(cause)
	if !errors.Is(e, cause) || !strings.Contains(e.Error(), "10.0.0.7") {
		t.Errorf("Error() = %q, cause lost", e)
	}
	for _, d := range []dialect.Dialect{dialect.Anthropic, dialect.OpenAI} {
		w := httptest.NewRecorder()
		Write(w, d, e, id)
		if strings.Contains(w.Body.String(), "10.0.0.7") {
			t.Errorf("%s: the cause was sent: %s", d, w.Body)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 s", 6500 * time.Millisecond: "7 s", time.Minute: "1 min", 12*time.Minute + 30*time.Second: "12 min",
		5*time.Hour + 12*time.Minute: "5 h 12 min", 2 * time.Hour: "2 h", 76 * time.Hour: "3 d 4 h",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%s) = %q, want %q", d, got, want)
		}
	}
}
