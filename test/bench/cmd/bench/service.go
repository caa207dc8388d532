package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"llmgwbench/internal/proc"
)

// service is a process that the bench starts and stops.
type service struct {
	Name  string            `json:"name"`
	Cmd   []string          `json:"cmd"`
	Env   map[string]string `json:"env"`
	Ready string            `json:"ready"` // tcp:host:port, or an http URL that must answer below 500
	run   *exec.Cmd
}

const readyIn = 30 * time.Second

// start runs the service in dir and waits until it is ready.
func (s *service) start(ctx context.Context, dir string) error {
	if ready(ctx, s.Ready) { // else its answers would be taken for this one's
		return fmt.Errorf("another process answers at %s already", s.Ready)
	}
	c := exec.Command(s.Cmd[0], s.Cmd[1:]...) // outlives ctx: stop ends it in order
	c.Dir = dir
	c.Env = append(os.Environ(), "ADMIN="+s.admin(dir))
	for k, v := range s.Env {
		c.Env = append(c.Env, k+"="+v)
	}
	f, err := os.OpenFile(dir+"/"+s.Name+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	c.Stdout, c.Stderr = f, f
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return err
	}
	s.run = c
	gone := make(chan error, 1)
	go func() { gone <- c.Wait() }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(readyIn); ; {
		select {
		case err := <-gone:
			s.run = nil
			return fmt.Errorf("ended at once (%w), see %s", errors.Join(err), f.Name())
		case <-end:
			return fmt.Errorf("not ready at %s", s.Ready)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if ready(ctx, s.Ready) {
				return nil
			}
		}
	}
}

// admin is the address of Caddy's admin endpoint: off unless it serves profiles.
func (s *service) admin(dir string) string {
	if s.Env["PROFILE"] == "" {
		return "off"
	}
	return "unix/" + s.socket(dir)
}

func (s *service) socket(dir string) string { return dir + "/" + s.Name + ".sock" }

// stop ends the process group, by force after three seconds.
func (s *service) stop() {
	if s.run == nil {
		return
	}
	group := s.run.Process.Pid
	_ = syscall.Kill(-group, syscall.SIGTERM)
	for i := 0; i < 30 && len(proc.Group(group)) > 0; i++ {
		time.Sleep(100 * time.Millisecond)
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
	s.run = nil
}

func (s *service) pids() []int {
	if s.run == nil {
		return nil
	}
	return proc.Group(s.run.Process.Pid)
}

func ready(ctx context.Context, at string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if a, ok := strings.CutPrefix(at, "tcp:"); ok {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", a)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode < http.StatusInternalServerError
}
