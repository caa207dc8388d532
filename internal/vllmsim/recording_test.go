package vllmsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recording is one exchange with a real server.
type recording struct {
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
		BodyRaw      *string `json:"body_raw"`
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    string
		Events  []struct{ Raw string }
	}
}

const recordings = "testdata/recordings"

func readRecording(t *testing.T, name string) recording {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(recordings, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var rec recording
	if err := json.Unmarshal(raw, &rec); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return rec
}

func (r recording) body(name string) []byte {
	switch {
	case name == "64b-err-body-not-utf8":
		// The recording holds a replacement character where the byte was.
		return []byte(strings.Replace(*r.Request.BodyRaw, "\uFFFD", "\xff", 1))
	case r.Request.BodyRaw != nil:
		return []byte(*r.Request.BodyRaw)
	}
	return r.Request.Body
}

// answer is what a server said, a recorded or the simulated one.
type answer struct {
	status int
	header http.Header
	body   string
	events []string // of a stream, with their blank lines
}

func (r recording) answer() answer {
	a := answer{status: r.Response.Status, header: http.Header{}, body: r.Response.Body}
	for name, value := range r.Response.Headers {
		a.header.Set(name, value)
	}
	for _, e := range r.Response.Events {
		a.events = append(a.events, e.Raw)
	}
	return a
}

func ask(t *testing.T, s http.Handler, method, path string, header map[string]string, body []byte) answer {
	t.Helper()
	srv := httptest.NewServer(s)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		switch name {
		case "Host", "Connection", "Content-Length", "Accept":
		default:
			req.Header.Set(name, value)
		}
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading the answer of %s: %v", path, err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(text)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		a.events, a.body = splitEvents(a.body), ""
	}
	return a
}

func splitEvents(body string) []string {
	events := strings.SplitAfter(body, "\n\n")
	if last := len(events) - 1; events[last] == "" {
		events = events[:last]
	}
	return events
}

// headers lists what both servers decide themselves.
func (a answer) headers() []string {
	var out []string
	for name := range a.header {
		switch name {
		case "Date", "Content-Length", "Connection", "Transfer-Encoding", "X-Request-Id":
			continue
		}
		out = append(out, name+": "+a.header.Get(name))
	}
	slices.Sort(out)
	return out
}

var (
	volatile = regexp.MustCompile(`"(chatcmpl|modelperm)-(tool-)?[0-9a-f]{16}"|"vllm-0\.32\.0-[0-9a-f]{8}"|"signature":"[0-9a-f]{32}"|"root":"[^"]*"`)
	counted  = regexp.MustCompile(`"(created|[a-z_]*tokens|count)":\d+`)
	ids      = regexp.MustCompile(`"tokens":\[[\d,]*\]`)
)

// redacted takes away what differs between two runs of the same server, and the
// numbers of tokens: the simulator's tokenizer is not the recorded model's.
func redacted(s string) string {
	s = volatile.ReplaceAllStringFunc(s, func(m string) string {
		if i := strings.IndexAny(m, "-:"); i > 0 {
			return m[:i] + `…"`
		}
		return m
	})
	return ids.ReplaceAllString(counted.ReplaceAllString(s, `"$1":0`), `"tokens":[]`)
}

// shapesOf takes an event's delta apart from what is around it: which delta
// comes with the end of an answer is an accident of timing.
func shapesOf(t *testing.T, event string) []string {
	t.Helper()
	s := shapeOf(t, event)
	before, rest, ok := strings.Cut(s, "delta:{")
	delta, after, ok2 := strings.Cut(rest, "},logprobs")
	if !ok || !ok2 {
		return []string{s}
	}
	return []string{before + "delta" + after, delta}
}

// shapeOf is the bytes of an event with every text and number taken out, but the
// words that belong to the grammar.
func shapeOf(t *testing.T, event string) string {
	t.Helper()
	head, data, ok := strings.Cut(event, "data: ")
	if !ok || !strings.HasSuffix(data, "\n\n") {
		t.Fatalf("not an event: %q", event)
	}
	data = strings.TrimSuffix(data, "\n\n")
	if data == "[DONE]" || strings.HasPrefix(data, `{"error": {`) {
		return event
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(data)); err != nil || compact.String() != data {
		t.Fatalf("not JSON without blanks (%v): %q", err, data)
	}
	d := json.NewDecoder(strings.NewReader(data))
	var out strings.Builder
	if err := shapeValue(d, "", &out); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return head + out.String()
}

var grammarWords = []string{"object", "role", "type", "finish_reason", "stop_reason"}

func shapeValue(d *json.Decoder, name string, out *strings.Builder) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		open := v
		fmt.Fprint(out, open)
		for d.More() {
			member := name
			if open == '{' {
				key, err := d.Token()
				if err != nil {
					return err
				}
				member = key.(string)
				fmt.Fprintf(out, "%s:", member)
			}
			if err := shapeValue(d, member, out); err != nil {
				return err
			}
			out.WriteByte(',')
		}
		end, err := d.Token()
		fmt.Fprint(out, end)
		return err
	case string:
		if slices.Contains(grammarWords, name) {
			fmt.Fprintf(out, "%q", v)
			return nil
		}
		out.WriteString("text")
	case float64:
		out.WriteString("0")
	default:
		fmt.Fprint(out, v)
	}
	return nil
}
