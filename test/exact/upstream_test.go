//go:build exact

package exact

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// The words of a prompt tell the upstream what to do.
const (
	// answerNow answers within 10 ms.
	answerNow = "answer"
	// answerHeld answers once the upstream lets go.
	answerHeld = "hold"
	// think sends status and headers of a stream, and no content until the
	// upstream lets go.
	think = "think"
	// speak streams some content, and the end when the upstream lets go.
	speak = "speak"
	// breakOff streams some content and closes the connection.
	breakOff = "break"
	// fail refuses with 500.
	fail = "fail"
)

// upstream speaks the part of vLLM's API that a charge depends on, holds
// answers back and counts what reaches it.
type upstream struct {
	URL string

	mu      sync.Mutex
	arrived map[string]int // by person and word
	left    map[string]int // whose caller went away, likewise
	held    chan struct{}  // closed to let go
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{arrived: make(map[string]int), left: make(map[string]int), held: make(chan struct{})}
	server := httptest.NewServer(u)
	u.URL = server.URL
	t.Cleanup(func() {
		u.letGo()
		server.CloseClientConnections()
		server.Close()
	})
	return u
}

// letGo ends everything that is held; what comes later is held again.
func (u *upstream) letGo() {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.held)
	u.held = make(chan struct{})
}

// seen is how many requests of a person with one of the words arrived.
func (u *upstream) seen(person string, words ...string) int { return u.count(u.arrived, person, words) }

// gone is how many of them were left by their caller.
func (u *upstream) gone(person string, words ...string) int { return u.count(u.left, person, words) }

func (u *upstream) count(in map[string]int, person string, words []string) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, w := range words {
		n += in[person+" "+w]
	}
	return n
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"qwen3-32b","object":"model","max_model_len":32768}]}`)
		return
	}
	var body struct {
		Stream   bool
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body); err != nil || len(body.Messages) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	said := body.Messages[len(body.Messages)-1].Content // "person word"
	u.mu.Lock()
	u.arrived[said]++
	held := u.held
	u.mu.Unlock()
	_, word, _ := strings.Cut(said, " ")
	a := answer{ResponseWriter: w, request: r, held: held, native: strings.HasSuffix(r.URL.Path, "/messages")}
	if !a.give(word, body.Stream) {
		u.mu.Lock()
		u.left[said]++
		u.mu.Unlock()
	}
}

// answer is one answer of the upstream.
type answer struct {
	http.ResponseWriter
	request *http.Request
	held    chan struct{}
	native  bool // Anthropic's dialect
}

// give answers as the word says. It reports whether the caller was still there
// at the end.
func (a *answer) give(word string, stream bool) bool {
	switch word {
	case fail:
		a.Header().Set("Content-Type", "application/json")
		a.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(a, `{"error":{"message":"EngineCore encountered an issue","type":"InternalServerError","param":null,"code":500}}`)
		return true
	case answerNow:
		time.Sleep(rand.N(10 * time.Millisecond)) // so that answers come in another order than requests
	case answerHeld:
		if !a.wait() {
			return false
		}
	}
	if !stream {
		a.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(a, a.plain())
		return err == nil
	}
	return a.stream(word)
}

// wait holds until the upstream lets go, or the caller leaves.
func (a *answer) wait() bool {
	select {
	case <-a.held:
		return true
	case <-a.request.Context().Done():
		return false
	}
}

func (a *answer) plain() string {
	if a.native {
		return `{"id":"msg_1","type":"message","role":"assistant","model":"qwen3-32b","content":[{"type":"text","text":"four"}],` +
			`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}`
	}
	return `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"qwen3-32b","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"four"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}`
}

// stream writes an event stream, and stops in it where the word says so.
func (a *answer) stream(word string) bool {
	begin, content, end := a.events()
	a.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	a.send(begin)
	if word == think && !a.wait() {
		return false
	}
	a.send(content)
	if word == speak && !a.wait() {
		return false
	}
	if word == breakOff {
		panic(http.ErrAbortHandler)
	}
	return a.send(end)
}

func (a *answer) send(events string) bool {
	_, err := io.WriteString(a, events)
	return err == nil && http.NewResponseController(a.ResponseWriter).Flush() == nil
}

func (a *answer) events() (begin, content, end string) {
	if a.native {
		event := func(kind, rest string) string {
			return fmt.Sprintf("event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, rest)
		}
		begin = event("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"qwen3-32b","content":[],`+
			`"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":0}}`)
		content = event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`) +
			event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"four"}`)
		end = event("content_block_stop", `,"index":0`) +
			event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}`) +
			event("message_stop", "")
		return begin, content, end
	}
	chunk := func(delta, finish string) string {
		return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"qwen3-32b","choices":[{"index":0,"delta":` +
			delta + `,"finish_reason":` + finish + "}]}\n\n"
	}
	return chunk(`{"role":"assistant","content":""}`, "null"), chunk(`{"content":"four"}`, "null"),
		chunk(`{}`, `"stop"`) + "data: [DONE]\n\n"
}
