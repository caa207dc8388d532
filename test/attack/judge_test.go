//go:build attack

package attack

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The charged endpoints; the dialect of an error is that of the path.
const (
	messages = "/v1/messages"
	chat     = "/v1/chat/completions"
)

// refusal is an error as a client reads it.
type refusal struct{ Type, Code, Message string }

// refused reads an error in the dialect of the path and fails the test unless
// it is one, has one of the statuses and says something to a person.
func refused(t *testing.T, path string, r reply, statuses ...int) refusal {
	t.Helper()
	if !slices.Contains(statuses, r.status) {
		t.Errorf("status %d %.300s, want one of %v", r.status, r.body, statuses)
		return refusal{}
	}
	var e struct {
		Type      string
		RequestID string `json:"request_id"`
		Error     struct {
			Type, Message string
			Code          *string
		}
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		t.Errorf("status %d with a body that is no error: %.300s", r.status, r.body)
		return refusal{}
	}
	if !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
		t.Errorf("content type %q", r.header.Get("Content-Type"))
	}
	anthropic := e.Type == "error" && e.RequestID != "" && e.Error.Code == nil
	if anthropic == strings.HasPrefix(path, "/v1/chat/") {
		t.Errorf("%s answered in the other dialect: %s", path, r.body)
	}
	if e.Error.Type == "" || len(e.Error.Message) < 10 || len(e.Error.Message) > 300 {
		t.Errorf("error without type or sentence: %s", r.body)
	}
	out := refusal{Type: e.Error.Type, Message: e.Error.Message}
	if e.Error.Code != nil {
		out.Code = *e.Error.Code
	}
	return out
}

// clean fails the test if an answer holds a secret.
func (w *world) clean(t *testing.T, r reply) {
	t.Helper()
	for _, f := range w.secrets.in(r.body + "\n" + headerText(r.header)) {
		t.Errorf("the answer holds %s", f.whose)
	}
}

// headerText is a header as one text.
func headerText(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b) // a Builder takes everything
	return b.String()
}

// both runs f once for each charged endpoint and version of HTTP.
func both(f func(path, proto string)) {
	for _, path := range []string{messages, chat} {
		for _, proto := range []string{"h1", "h2"} {
			f(path, proto)
		}
	}
}
