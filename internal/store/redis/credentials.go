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

// credentials are what new connections sign in with. The last two passwords
// are kept: while one is rotated, server and file change at different moments,
// and whichever of the two the server knows is found within one refusal.
type credentials struct {
	username string
	file     string // "": passwords come by offer only

	mu    sync.Mutex
	known []string // newest first, at most two
	pick  int      // the one that new connections try
}

// offer makes password the newest.
func (c *credentials) offer(password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) > 0 && c.known[0] == password {
		return
	}
	c.known = append([]string{password}, c.known...)
	c.known = c.known[:min(len(c.known), 2)]
	c.pick = 0
}

// refused says that the server did not take what next returned.
func (c *credentials) refused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pick = (c.pick + 1) % len(c.known)
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
