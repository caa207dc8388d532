//go:build attack

package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// logLine returns the request log's line of a request.
func (w *world) logLine(t *testing.T, id string) map[string]any {
	t.Helper()
	var line map[string]any
	harness.Poll(t, 5*time.Second, "the log line of "+id, func() error {
		text, err := os.ReadFile(w.log)
		if err != nil {
			return err
		}
		at := bytes.Index(text, []byte(`"`+id+`"`))
		end := bytes.IndexByte(text[max(at, 0):], '\n')
		if at < 0 || end < 0 {
			return fmt.Errorf("no line yet")
		}
		start := bytes.LastIndexByte(text[:at], '\n') + 1
		return json.Unmarshal(text[start:at+end], &line)
	})
	return line
}

// leaks looks for every secret of the run in everything that the gateway wrote.
func (w *world) leaks(t *testing.T) {
	places := map[string]string{"the metrics": w.metrics(t)}
	for name, file := range map[string]string{"the gateway's log": w.gateway.Log, "the request log": w.log, "the access log": w.access} {
		if file == "" {
			w.skip("access-log", "this build has no encoder llm_safe yet")
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 {
			t.Errorf("%s is empty, so nothing was looked at", name)
		}
		places[name] = string(text)
	}
	for name, text := range places {
		w.attack(t, "leak", fmt.Sprintf("%d secrets in %s (%d KiB)", w.secrets.len(), name, len(text)>>10), func(t *testing.T) {
			for _, f := range w.secrets.in(text) {
				line := text[strings.LastIndexByte(text[:f.at], '\n')+1 : f.at]
				t.Errorf("%s holds %s behind %.400s", name, f.whose, line)
			}
		})
	}
	for at, s := range map[string]*stub{"internal": w.internal, "claude": w.claude, "openai": w.openai} {
		w.attack(t, "leak", fmt.Sprintf("in %d captures of %s", len(s.calls()), at), func(t *testing.T) {
			for _, c := range s.calls() {
				w.strangers(t, c, s)
			}
			for _, header := range s.lists {
				w.strangers(t, call{header: header}, s)
			}
		})
	}
}
