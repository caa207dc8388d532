//go:build attack

package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// call is a request that reached an upstream.
type call struct {
	path, query string
	header      http.Header
	body        []byte
	model       string // as encoding/json reads it into a struct
	stream      bool
}

// stub is an upstream of both dialects that notes what reaches it. It reads the
// model as a Go server would.
type stub struct {
	URL string

	mu     sync.Mutex
	seen   []call // but questions for the model list
	lists  []http.Header
	script http.HandlerFunc // nil: a short answer
	ended  chan struct{}    // an answer's client went away, or it ended
}

// maxKept is how much of a body a stub keeps.
const maxKept = 64 << 10

func newStub(t *testing.T) *stub {
	t.Helper()
	s := &stub{ended: make(chan struct{}, 4096)}
	server := httptest.NewServer(s)
	s.URL = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/v1/models" {
		s.mu.Lock()
		s.lists = append(s.lists, r.Header.Clone())
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"qwen3-32b","object":"model","type":"model"}]}`)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return // the gateway took it back
	}
	var read struct {
		Model  string
		Stream bool
	}
	c := call{path: r.URL.Path, query: r.URL.RawQuery, header: r.Header.Clone(), body: body}
	if err := json.Unmarshal(body, &read); err == nil {
		c.model, c.stream = read.Model, read.Stream
	} else {
		c.model = "unreadable: " + err.Error()
	}
	if len(c.body) > maxKept {
		c.body = append([]byte(nil), c.body[:maxKept]...)
	}
	s.mu.Lock()
	s.seen = append(s.seen, c)
	script := s.script
	s.mu.Unlock()
	defer func() {
		select {
		case s.ended <- struct{}{}:
		default:
		}
	}()
	if script != nil {
		script(w, r)
		return
	}
	answer(w, c)
}

// play sets how inference requests are answered until the test ends.
func (s *stub) play(t *testing.T, script http.HandlerFunc) {
	t.Helper()
	s.mu.Lock()
	s.script = script
	s.mu.Unlock()
	t.Cleanup(func() {
		s.mu.Lock()
		s.script = nil
		s.mu.Unlock()
	})
}

// calls returns what reached the stub so far.
func (s *stub) calls() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.seen...)
}

// last returns the newest call.
func (s *stub) last(t *testing.T) call {
	t.Helper()
	all := s.calls()
	if len(all) == 0 {
		t.Fatal("nothing reached the upstream")
	}
	return all[len(all)-1]
}

const (
	anthropicAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":%q,"content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":7}}`
	openaiAnswer    = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10}}`
)

// answer writes a short answer in the dialect of the path.
func answer(w http.ResponseWriter, c call) {
	switch {
	case c.stream:
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, opening(c.path)+content(c.path)+closing(c.path))
	case c.path == "/v1/messages/count_tokens":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"input_tokens":3}`)
	case c.path == "/v1/messages":
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, anthropicAnswer, c.model)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, openaiAnswer, c.model)
	}
}

// The parts of a streamed answer, in the dialect of the path.
func opening(path string) string {
	if path == "/v1/messages" {
		return "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n" +
			"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	}
	return "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
}

func content(path string) string {
	if path == "/v1/messages" {
		return "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"word \"}}\n\n"
	}
	return "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n"
}

func closing(path string) string {
	if path == "/v1/messages" {
		return "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
			"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7}}\n\n" +
			"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	}
	return "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":7,\"total_tokens\":10}}\n\n" +
		"data: [DONE]\n\n"
}

// streamForever sends content until the gateway hangs up.
func streamForever(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, opening(r.URL.Path)+content(r.URL.Path))
	flush(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(20 * time.Millisecond):
			_, _ = io.WriteString(w, content(r.URL.Path))
			flush(w)
		}
	}
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
