package redis

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// maxPassword bounds what is read of a password file, in bytes.
const maxPassword = 4096

// credentials are what new connections sign in with. While a password is
// rotated, server and configuration change at different moments, so two are
// kept: the newest, and the one that worked last. However many new ones are
// offered that the server does not know, the one that it knows stays.
type credentials struct {
	username string
	file     string // "": passwords come by offer only

	mu     sync.Mutex
	known  []string // newest first, at most two
	pick   int      // the one that new connections try
	good   string   // worked last
	proved bool     // one has worked
}

// offer makes password the newest.
func (c *credentials) offer(password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) > 0 && c.known[0] == password {
		return
	}
	older := c.known[:min(len(c.known), 1)]
	if c.proved {
		older = []string{c.good}
	}
	c.known, c.pick = []string{password}, 0
	if len(older) > 0 && older[0] != password {
		c.known = append(c.known, older[0])
	}
}

// worked says that a connection signed in with the password.
func (c *credentials) worked(password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.good, c.proved = password, true
}

// refused says that the server did not take the password. Many connections may
// say so of the same one.
func (c *credentials) refused(password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[c.pick] == password {
		c.pick = (c.pick + 1) % len(c.known)
	}
}

// next is asked for every new connection.
func (c *credentials) next(context.Context) (username, password string, err error) {
	if c.file != "" {
		password, err := readPassword(c.file)
		if err != nil {
			return "", "", err
		}
		c.offer(password)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.username, c.known[c.pick], nil
}

// readPassword reads the file up to its last line break.
func readPassword(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("redis: password file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword)) //nolint:forbidigo // bounded
	if err != nil {
		return "", fmt.Errorf("redis: password file: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
