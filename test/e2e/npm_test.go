//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/test/harness"
)

// installed is where the npm packages of testdata/package.json are, or why not.
var installed struct {
	sync.Once
	dir string
	err error
}

// npm returns a directory whose node_modules holds the pinned packages. Another
// pin is another directory.
func npm(t *testing.T) string {
	t.Helper()
	harness.Need(t, "node", "npm")
	installed.Do(func() { installed.dir, installed.err = install(t) })
	if installed.err != nil {
		harness.Missing(t, "installing npm packages: %v", installed.err)
	}
	return installed.dir
}

func install(t *testing.T) (string, error) {
	pins, err := os.ReadFile(filepath.Join("testdata", "package.json"))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(pins)
	dir := harness.CacheDir(t, "npm-"+hex.EncodeToString(sum[:4]))
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), pins, 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, os.WriteFile(done, nil, 0o600)
}

// node runs a script of testdata on the installed packages and decodes the one
// JSON value that it prints.
func node(t *testing.T, script string, out any, env ...string) {
	t.Helper()
	cmd := nodeCommand(t, script, env...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() {
		<-ctx.Done()
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
	}()
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("%s printed %q: %v", script, text, err)
	}
}

// nodeCommand is a script of testdata as a command. It runs from a copy beside
// node_modules, where its imports are looked up,
// with the files that it imports.
func nodeCommand(t *testing.T, script string, env ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp(npm(t), "run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(dir, script))
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	cmd.Stderr = os.Stderr
	return cmd
}
