package harness

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/openova-io/llm-gateway/internal/vllmsim"
)

// Recorder counts what passes a point of the wire.
type Recorder struct {
	// URL is where it listens.
	URL string

	mu   sync.Mutex
	seen []*Seen
}

// Seen is one request that passed.
type Seen struct {
	Method, Path string
	Header       http.Header
	// Status of the answer; 200 until it has begun.
	Status int
}

// StartModel serves the simulator of vLLM and records what reaches it: what the
// gateway let through.
func StartModel(t testing.TB, o vllmsim.Options) *Recorder {
	t.Helper()
	return record(t, vllmsim.New(o))
}

// Tap stands between a client and a server and records what passes: what the
// client really sent, retries included.
func Tap(t testing.TB, target string) *Recorder {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return record(t, &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
		},
	})
}

func record(t testing.TB, h http.Handler) *Recorder {
	t.Helper()
	r := new(Recorder)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// Noted before the answer leaves: whoever has it finds it here.
		seen := &Seen{Method: req.Method, Path: req.URL.Path, Header: req.Header.Clone(), Status: http.StatusOK}
		r.mu.Lock()
		r.seen = append(r.seen, seen)
		r.mu.Unlock()
		h.ServeHTTP(&statusWriter{ResponseWriter: w, recorder: r, seen: seen}, req)
	}))
	r.URL = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections() // streams that a test left open
		server.Close()
	})
	return r
}

// Seen returns the requests that came so far, with this method and path; an
// empty path is every path.
func (r *Recorder) Seen(method, path string) []Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Seen
	for _, s := range r.seen {
		if s.Method == method && (path == "" || s.Path == path) {
			found = append(found, *s)
		}
	}
	return found
}

// statusWriter notes the status.
type statusWriter struct {
	http.ResponseWriter
	recorder *Recorder
	seen     *Seen
}

func (s *statusWriter) WriteHeader(status int) {
	s.recorder.mu.Lock()
	s.seen.Status = status
	s.recorder.mu.Unlock()
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach Flush and Hijack.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
