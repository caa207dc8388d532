// Package harness starts the real parts of a black-box test and ends them with
// it: the gateway's binary, the simulator of vLLM, Keycloak, a tap between a
// client and the gateway. Redis is started by internal/redistest.
//
// Everything listens on free loopback ports or unix sockets, keeps its files in
// a directory of its own and is ended by its process id. The package knows how
// parts are started and reached, nothing of what a test expects of them.
package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Missing ends a test that lacks a part: a skip on a person's machine, a failure
// where CI is true, because a test that did not run has shown nothing.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Need looks programs up by name and calls [Missing] for one that is not there.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Missing(t, "%s is missing; `test/need %s` installs it", p, p)
		}
	}
}

// Root returns the root of the repository: the directory of go.mod.
func Root() string { return root() }

var root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(fmt.Sprintf("harness: finding the working directory: %v", err))
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			panic("harness: no go.mod above the working directory")
		}
		dir = up
	}
})

// Binary returns the gateway to test: $BIN, else bin/caddy, which is built anew
// once in a run (a build without changes takes a second).
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("BIN"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(root(), "bin", "caddy")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/caddy")
	build.Dir = root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return path, nil
})

// CacheDir returns a directory that outlives the run, for what is expensive to
// fetch: <the user's cache directory>/llm-gateway-test/<name>.
func CacheDir(t testing.TB, name string) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("finding the cache directory: %v", err)
	}
	dir := filepath.Join(base, "llm-gateway-test", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Dir returns an empty directory with a short path, removed after the test: the
// path of a unix socket is bounded to about 100 bytes, and t.TempDir holds the
// test's name.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Address returns a free loopback address, 127.0.0.1:port. Nothing holds it:
// whoever is to listen there should do so soon.
func Address(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Poll calls try every 20 ms until it returns nil, and fails the test with its
// last error when that takes longer than limit.
func Poll(t testing.TB, limit time.Duration, what string, try func() error) {
	t.Helper()
	if err := poll(limit, try); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// errStop ends a poll at once.
var errStop = errors.New("it ended")

func poll(limit time.Duration, try func() error) error {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil || errors.Is(err, errStop) || time.Now().After(end) {
			return err
		}
	}
}
