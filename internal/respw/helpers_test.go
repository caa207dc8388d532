package respw_test

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/respw"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	messageStart = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n"
	blockStart   = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	textDelta    = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n"
	messageDelta = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n"
	messageStop  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	errorEvent   = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}\n\n"
	pingEvent    = "event: ping\ndata: {\"type\": \"ping\"}\n\n"
	comment      = ": ping\n\n"

	roleChunk   = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
	textChunk   = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n"
	finishChunk = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	abortChunk  = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"abort\"}]}\n\n"
	usageChunk  = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n"
	done        = "data: [DONE]\n\n"
)

// client records what a client would receive, write by write.
type client struct {
	mu      sync.Mutex
	header  http.Header
	status  int
	writes  []string
	flushes int
	gone    error // returned by every write
}

func newClient() *client { return &client{header: http.Header{}} }

func (c *client) Header() http.Header { return c.header }

func (c *client) WriteHeader(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status != 0 {
		panic("status sent twice")
	}
	c.status = status
}

func (c *client) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil {
		return 0, c.gone
	}
	c.writes = append(c.writes, string(p))
	return len(p), nil
}

func (c *client) FlushError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushes++
	return nil
}

func (c *client) body() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.writes, "")
}

// state returns the status that was sent, 0 for none, and how often was flushed.
func (c *client) state() (status, flushes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status, c.flushes
}

func (c *client) count() (writes, flushes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.writes), c.flushes
}

// all lets every header pass.
func all(dst, src http.Header, _ int) { maps.Copy(dst, src) }

func options(d dialect.Dialect) respw.Options {
	return respw.Options{Dialect: d, Stream: true, Filter: all, Now: time.Now}
}

// begin starts an answer of the given content type.
func begin(t *testing.T, c http.ResponseWriter, opts respw.Options, contentType string) *respw.Writer {
	t.Helper()
	w := respw.New(c, opts)
	t.Cleanup(w.Release)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	return w
}

func stream(t *testing.T, c http.ResponseWriter, d dialect.Dialect) *respw.Writer {
	t.Helper()
	return begin(t, c, options(d), "text/event-stream; charset=utf-8")
}

// write does what a proxy does with one read: one write, one flush.
func write(t *testing.T, w *respw.Writer, s string) {
	t.Helper()
	if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", s, n, err)
	}
	if err := w.FlushError(); err != nil {
		t.Fatalf("FlushError() = %v", err)
	}
}
