package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a running program of a test.
type Process struct {
	// Log is the file that holds its stdout and stderr.
	Log string

	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
	err  error         // how it ended; read after done
}

// stopGrace is how long a program may take to end after SIGTERM. Keycloak needs
// about 4 s on a quiet machine.
const stopGrace = 20 * time.Second

// Start starts a program whose output goes to a file. It is stopped after the
// test; the tail of its output is shown if the test failed.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	log, err := os.CreateTemp(t.TempDir(), p.name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p.Log = log.Name()
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Start()
	_ = log.Close() // the child has its own
	if err != nil {
		t.Fatalf("starting %s: %v", p.name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("the last words of %s:\n%s", p.name, p.Tail(40))
		}
	})
	return p
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop asks the program to end (SIGTERM), waits for it, and kills it when it
// does not. It is fine to call it again.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		p.Kill()
	}
}

// Kill ends the program as the kernel's memory killer would: kill -9.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Wait waits until the program ends by itself and returns its exit status.
func (p *Process) Wait(limit time.Duration) (status int, err error) {
	select {
	case <-p.done:
	case <-time.After(limit):
		return 0, fmt.Errorf("%s still runs after %s", p.name, limit)
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		return 0, p.err
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Ended reports whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ready polls try until it succeeds, and fails the test at once when the
// program ends before.
func (p *Process) ready(t testing.TB, limit time.Duration, try func() error) {
	t.Helper()
	err := poll(limit, func() error {
		if p.Ended() {
			return errors.Join(errStop, p.err)
		}
		return try()
	})
	if err != nil {
		t.Fatalf("%s is not ready: %v\n%s", p.name, err, p.Tail(40))
	}
}

// Tail returns the last lines of the program's output.
func (p *Process) Tail(lines int) string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
