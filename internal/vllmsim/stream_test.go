package vllmsim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

func chatBody(text string, extra ...string) []byte {
	return []byte(`{"model":"qwen3-32b","messages":[{"role":"user","content":` + string(encode(text)) + `}]` + strings.Join(extra, "") + `}`)
}

func messageBody(text string, extra ...string) []byte {
	return []byte(`{"model":"qwen3-32b","max_tokens":4000,"messages":[{"role":"user","content":` + string(encode(text)) + `}]` + strings.Join(extra, "") + `}`)
}

var jsonType = map[string]string{"Content-Type": "application/json"}

const (
	streamed = `,"stream":true`
	chatTool = `,"tools":[{"type":"function","function":{"name":"ping","parameters":{"type":"object"}}}]`
	nativeTl = `,"tools":[{"name":"ping","input_schema":{"type":"object"}}]`
)

// TestStreams scripts every behaviour on both routes and checks the grammar of
// the events, and that the stream tells what the complete answer tells.
func TestStreams(t *testing.T) {
	for _, tc := range []struct {
		name, prompt   string
		chat, messages []string // what the streams tell behind their opening
	}{
		{
			name: "text", prompt: "[[sim say Hello there]]",
			chat:     []string{"content Hello there", "finish stop ", "usage", "done"},
			messages: []string{"content_block_start 0 text ", "content_block_delta 0 text_delta Hello there", "content_block_stop 0", "message_delta end_turn null", "message_stop"},
		},
		{
			name: "words", prompt: "[[sim n=3]]",
			chat:     []string{"content sim sim sim", "finish stop ", "usage", "done"},
			messages: []string{"content_block_start 0 text ", "content_block_delta 0 text_delta sim sim sim", "content_block_stop 0", "message_delta end_turn null", "message_stop"},
		},
		{
			name: "reasoning", prompt: "[[sim think]][[sim say Yes]]",
			chat: []string{"reasoning \n" + thought + "\n", "content \n\nYes", "finish stop ", "usage", "done"},
			messages: []string{
				"content_block_start 0 thinking ", "content_block_delta 0 thinking_delta \n" + thought + "\n", "content_block_delta 0 signature_delta ", "content_block_stop 0",
				"content_block_start 1 text ", "content_block_delta 1 text_delta \n\nYes", "content_block_stop 1", "message_delta end_turn null", "message_stop",
			},
		},
		{
			name: "parallel tools", prompt: `[[sim tool ping {"a": [[1]]}]] and [[sim tool ping]]`,
			chat: []string{"call 0 ping", `arguments 0 {"a": [[1]]}`, "call 1 ping", "arguments 1 {}", "finish tool_calls ", "usage", "done"},
			messages: []string{
				"content_block_start 0 tool_use ping", `content_block_delta 0 input_json_delta {"a": [[1]]}`, "content_block_stop 0",
				"content_block_start 1 tool_use ping", "content_block_delta 1 input_json_delta {}", "content_block_stop 1", "message_delta tool_use null", "message_stop",
			},
		},
		{
			name: "empty", prompt: "[[sim empty]]",
			chat:     []string{"finish stop ", "usage", "done"},
			messages: []string{"message_delta end_turn null", "message_stop"},
		},
		{
			name: "aborted", prompt: "[[sim n=50 abort after=4]]",
			chat:     []string{"content sim sim", "finish abort ", "usage", "done"},
			messages: []string{"content_block_start 0 text ", "content_block_delta 0 text_delta sim sim", "content_block_stop 0", "message_delta null null", "message_stop"},
		},
		{
			name: "an unknown word", prompt: "[[sim dance]]",
			chat: []string{`content The vLLM simulator does not understand this script: unknown word "dance"`, "finish stop ", "usage", "done"},
			messages: []string{
				"content_block_start 0 text ", `content_block_delta 0 text_delta The vLLM simulator does not understand this script: unknown word "dance"`,
				"content_block_stop 0", "message_delta end_turn null", "message_stop",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			shapes := recordedShapes(t)
			chat := ask(t, New(Options{}), "POST", "/v1/chat/completions", jsonType, chatBody(tc.prompt, streamed, `,"stream_options":{"include_usage":true}`, chatTool))
			native := ask(t, New(Options{}), "POST", "/v1/messages", jsonType, messageBody(tc.prompt, streamed, nativeTl))
			compare(t, "chat", told(t, chat.events, false), append([]string{"role assistant"}, tc.chat...))
			compare(t, "messages", told(t, native.events, true), append([]string{"message_start"}, tc.messages...))
			grammar(t, native.events)
			for _, e := range chat.events {
				// An abort in an empty delta was never seen, the word itself was.
				for _, s := range shapesOf(t, strings.ReplaceAll(e, `"abort"`, `"stop"`)) {
					if !shapes[s] && !strings.Contains(e, "prompt_tokens_details") && !strings.Contains(e, `"usage"`) {
						t.Errorf("no recording holds an event of this shape: %s", e)
					}
				}
			}
		})
	}
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%s tells\n%q\nwant\n%q", what, got, want)
	}
}

// grammar checks what strict clients of the Messages API check: one message,
// blocks one after the other with rising indexes, each with the deltas of its
// kind, tool input that is JSON, and a thought that is signed.
func grammar(t *testing.T, events []string) {
	t.Helper()
	next, open, kind, input, signed := 0, false, "", "", false
	for i, e := range events {
		var ev struct {
			Type  string
			Index int
			Block struct{ Type, ID string } `json:"content_block"`
			Delta struct {
				Type        string
				PartialJSON string `json:"partial_json"`
			}
		}
		name, data, ok := strings.Cut(strings.TrimSpace(e), "\ndata: ")
		if err := json.Unmarshal([]byte(data), &ev); !ok || err != nil || name != "event: "+ev.Type {
			t.Fatalf("event %d is malformed (%v): %q", i, err, e)
		}
		switch ev.Type {
		case "message_start", "message_stop", "message_delta":
			if open || (i == 0) != (ev.Type == "message_start") || (i == len(events)-1) != (ev.Type == "message_stop") {
				t.Errorf("event %d: %s at the wrong place", i, ev.Type)
			}
		case "content_block_start":
			if open || ev.Index != next || (ev.Block.Type == "tool_use" && !regexp.MustCompile(`^chatcmpl-tool-[0-9a-f]{16}$`).MatchString(ev.Block.ID)) {
				t.Errorf("event %d: block %d opened at the wrong place: %s", i, ev.Index, data)
			}
			open, kind, input, signed = true, ev.Block.Type, "", false
		case "content_block_delta":
			fits := map[string]string{"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use"}
			if !open || ev.Index != next || fits[ev.Delta.Type] != kind || signed {
				t.Errorf("event %d: delta %s in a block of kind %s", i, ev.Delta.Type, kind)
			}
			input += ev.Delta.PartialJSON
			signed = ev.Delta.Type == "signature_delta"
		case "content_block_stop":
			if !open || ev.Index != next || (kind == "thinking" && !signed) || (kind == "tool_use" && !json.Valid([]byte(input))) {
				t.Errorf("event %d: block %d of kind %s ended wrongly, input %q", i, ev.Index, kind, input)
			}
			open, next = false, next+1
		default:
			t.Errorf("event %d: unknown event %s", i, ev.Type)
		}
	}
}

func TestFaults(t *testing.T) {
	s := New(Options{})
	t.Run("engine death", func(t *testing.T) {
		a := ask(t, s, "POST", "/v1/chat/completions", jsonType, chatBody("[[sim die after=5]]", streamed))
		want := readRecording(t, "B3-engine-killed-mid-stream").answer().events
		if n := len(a.events); n < 3 || a.events[n-2] != want[len(want)-2] || a.events[n-1] != want[len(want)-1] {
			t.Errorf("stream ends with %q, want %q", a.events, want[len(want)-2:])
		}
		a = ask(t, s, "POST", "/v1/messages", jsonType, messageBody("[[sim die]]"))
		if a.status != 500 || !strings.HasPrefix(a.body, `{"type":"error","error":{"type":"InternalServerError","message":"EngineCore`) {
			t.Errorf("complete answer: %d %s", a.status, a.body)
		}
	})
	t.Run("cut", func(t *testing.T) {
		srv := httptest.NewServer(s)
		defer srv.Close()
		for _, body := range [][]byte{chatBody("[[sim cut after=5]]", streamed), chatBody("[[sim cut]]")} {
			res, err := http.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader(string(body)))
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("%s: error %v, want a cut connection", body, err)
			}
		}
	})
	t.Run("empty 200", func(t *testing.T) {
		for _, extra := range []string{"", streamed} {
			a := ask(t, s, "POST", "/v1/messages", jsonType, messageBody("[[sim empty200]]", extra))
			if a.status != 200 || a.body != "" || len(a.events) != 0 {
				t.Errorf("stream %q: %d %q %q, want an empty 200", extra, a.status, a.body, a.events)
			}
		}
	})
	t.Run("status", func(t *testing.T) {
		for status, want := range map[int]string{
			500: `{"type":"error","error":{"type":"InternalServerError","message":"cannot schedule new futures after shutdown"}}`,
			503: readRecording(t, "C9-err-503-queue-full").Response.Body,
			429: `{"error":{"message":"This refusal is simulated.","type":"Too Many Requests","param":null,"code":429}}`,
		} {
			a := ask(t, s, "POST", "/v1/messages", jsonType, messageBody(fmt.Sprintf("[[sim status=%d]]", status), streamed))
			if a.status != status || a.body != want {
				t.Errorf("status=%d answered %d %s, want %s", status, a.status, a.body, want)
			}
		}
	})
	if st := s.Stats(); st.Running != 0 || st.Waiting != 0 || st.Aborted != 6 {
		t.Errorf("Stats() = %+v, want nothing left and 6 aborted", st)
	}
}

// open starts a stream and reads up to the first event.
func open(t *testing.T, ctx context.Context, url, path string, body []byte) (*http.Response, *bufio.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", url+path, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res, bufio.NewReader(res.Body)
}

// until waits for a state of the server.
func until(t *testing.T, s *Server, what string, reached func(Stats) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if reached(s.Stats()) {
			return
		}
	}
	t.Fatalf("%s was not reached: %+v", what, s.Stats())
}

func TestClientLeaves(t *testing.T) {
	s := New(Options{Gap: time.Millisecond})
	srv := httptest.NewServer(s)
	defer srv.Close()
	ctx, leave := context.WithCancel(t.Context())
	_, r := open(t, ctx, srv.URL, "/v1/chat/completions", chatBody("[[sim forever]]", streamed))
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	until(t, s, "running", func(st Stats) bool { return st.Running == 1 })
	go func() { // a second one that does not stream
		req, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/v1/messages", strings.NewReader(string(messageBody("[[sim forever]]"))))
		req.Header.Set("Content-Type", "application/json")
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	until(t, s, "two running", func(st Stats) bool { return st.Running == 2 })
	leave()
	until(t, s, "the end of both", func(st Stats) bool { return st.Running == 0 && st.Aborted == 2 && st.Finished == 0 })
	tokens := s.Stats().Tokens
	time.Sleep(20 * time.Millisecond)
	if now := s.Stats().Tokens; now != tokens {
		t.Errorf("%d tokens were generated for nobody", now-tokens)
	}
}

func TestQueueLimit(t *testing.T) {
	s := New(Options{Gap: time.Millisecond, MaxNumSeqs: 1, MaxNumQueued: 2})
	srv := httptest.NewServer(s)
	defer srv.Close()
	ctx, leave := context.WithCancel(t.Context())
	_, r := open(t, ctx, srv.URL, "/v1/chat/completions", chatBody("[[sim forever]]", streamed))
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	// The second gets its headers at once and waits for events.
	patient, give := context.WithTimeout(t.Context(), 20*time.Second)
	defer give()
	second, events := open(t, patient, srv.URL, "/v1/messages", messageBody("[[sim n=1]]", streamed))
	if second.StatusCode != 200 {
		t.Fatalf("status %d of a queued stream", second.StatusCode)
	}
	until(t, s, "one waiting", func(st Stats) bool { return st.Running == 1 && st.Waiting == 1 })
	third, body := open(t, patient, srv.URL, "/v1/messages", messageBody("hi"))
	text, err := io.ReadAll(body)
	want := readRecording(t, "C9-err-503-queue-full").answer()
	if err != nil || third.StatusCode != want.status || string(text) != want.body || third.Header.Get("Retry-After") != "" {
		t.Errorf("third: %d %s (%v), want %d %s", third.StatusCode, text, err, want.status, want.body)
	}
	leave()
	if line, err := events.ReadString('\n'); err != nil || line != "event: message_start\n" {
		t.Errorf("after the first left the second got %q, %v", line, err)
	}
	until(t, s, "the end", func(st Stats) bool { return st.Running == 0 && st.Finished == 1 && st.Rejected == 1 })
}

// An answer that nobody waits for is not made up of what there was of it.
func TestNothingForNobody(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/messages", strings.NewReader(string(messageBody("hi"))))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	New(Options{}).ServeHTTP(w, r)
	if w.Body.Len() != 0 {
		t.Errorf("a client that is gone was answered %s", w.Body)
	}
}
