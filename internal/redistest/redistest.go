// Package redistest starts a real redis-server for a test: no fake of it keeps
// its promises about scripts, files and refusals.
//
// It knows processes and sockets, nothing of what is stored.
package redistest

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Server is a redis-server with an append-only file, on a unix socket in a
// directory of its own. It ends with the test.
type Server struct {
	// URL is where clients connect.
	URL string
	// Socket is the path in it.
	Socket string

	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
}

// Start starts a server; args are added to its command line. Without
// redis-server on this machine the test is skipped, but where CI is true it
// fails.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is missing: apt-get install redis-server")
		}
		t.Skip("redis-server is missing: apt-get install redis-server")
	}
	// A socket's path is bounded to about 100 bytes: t.TempDir may be longer.
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Socket: filepath.Join(dir, "s"), t: t, dir: dir, args: args}
	s.URL = "unix://" + s.Socket
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	s.Restart()
	return s
}

// Restart starts the server on the files that it left, and waits until it
// answers.
func (s *Server) Restart() {
	s.t.Helper()
	args := append([]string{
		"--port", "0", "--unixsocket", s.Socket, "--dir", s.dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
	}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	s.cmd.Env = append(os.Environ(), "LC_ALL=C") // its scripts compare words by the locale
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !s.answers(); {
		if time.Now().After(end) {
			s.t.Fatal("redis-server does not answer")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// answers reports whether the server has loaded its files.
func (s *Server) answers() bool {
	c, err := net.DialTimeout("unix", s.Socket, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && (strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH"))
}

// Kill ends the server as a power cut of its process would: kill -9.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}
