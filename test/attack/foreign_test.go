//go:build attack

package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// foreign is an upstream in another language: it reads the model with that
// language's own parser.
type foreign struct {
	URL string
}

// foreignCall is a request that reached it.
type foreignCall struct {
	Path  string
	Model any
}

// startForeign starts a stub of testdata. Where its language is missing, its
// part counts as not run and nil is returned, but where CI is true the test
// fails.
func (w *world) startForeign(t *testing.T, program, script string) *foreign {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing; `test/need %s` installs it", program, program)
		}
		w.skip("upstream-"+program, program+" is missing")
		return nil
	}
	p := harness.Start(t, exec.Command(program, "testdata/"+script))
	f := new(foreign)
	harness.Poll(t, 20*time.Second, script, func() error {
		port, err := os.ReadFile(p.Log)
		if err != nil || !strings.HasSuffix(string(port), "\n") {
			return fmt.Errorf("it has not printed its port: %q, %v", port, err)
		}
		f.URL = "http://127.0.0.1:" + strings.TrimSpace(string(port))
		return nil
	})
	return f
}

// calls returns what reached it so far.
func (f *foreign) calls(t *testing.T) []foreignCall {
	t.Helper()
	res, err := http.Get(f.URL + "/calls")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var calls []foreignCall
	if err := json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(&calls); err != nil {
		t.Fatal(err)
	}
	return calls
}
