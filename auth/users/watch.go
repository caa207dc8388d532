package users

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// pollEvery is how often the file is looked at. Polling sees what file
	// events miss: symbolic links swapped by Kubernetes, network file systems.
	pollEvery = 500 * time.Millisecond
	// settling is how long after its last change a file may change again
	// without a new time stamp; it is read again until that has passed.
	settling = 2 * time.Second
)

// watch is the poller. Its state belongs to the goroutine once that runs.
type watch struct {
	mu    sync.Mutex // guards done and ended
	done  chan struct{}
	ended chan struct{}

	seen     os.FileInfo // the state that was read last; nil: read again
	content  [sha256.Size]byte
	complain string // about a file that cannot be read, so that it is logged once
}

// Start reads the file and begins to watch it.
func (v *Verifier) Start() error {
	v.watch.mu.Lock()
	defer v.watch.mu.Unlock()
	if v.watch.done != nil {
		return nil
	}
	v.watch.seen, _ = os.Stat(v.path)
	raw, err := readBounded(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; make one with: caddy llm-gateway users add <name> --tier <tier> --file %s", err, v.path)
	}
	if err != nil {
		return err
	}
	file, err := parseFile(raw)
	if err != nil {
		return fmt.Errorf("users file %s: %w", v.path, err)
	}
	v.watch.content = sha256.Sum256(raw)
	v.load(file)
	done, ended := make(chan struct{}), make(chan struct{})
	v.watch.done, v.watch.ended = done, ended
	go func() {
		defer close(ended)
		v.poll(done)
	}()
	return nil
}

// Stop ends the watch. The last state stays in force for requests under way.
func (v *Verifier) Stop() error {
	v.watch.mu.Lock()
	defer v.watch.mu.Unlock()
	if v.watch.done == nil {
		return nil
	}
	close(v.watch.done)
	<-v.watch.ended
	v.watch.done = nil
	return nil
}

func (v *Verifier) poll(done <-chan struct{}) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			v.reload()
		case <-done:
			return
		}
	}
}

// reload puts a changed file into force. What cannot be used leaves the last
// good state and is complained of once.
func (v *Verifier) reload() {
	raw, err := v.changed()
	if err != nil {
		v.watch.seen = nil
		if complaint := err.Error(); complaint != v.watch.complain {
			v.watch.complain = complaint
			v.complain(err)
		}
		return
	}
	v.watch.complain = ""
	if raw == nil {
		return
	}
	file, err := parseFile(raw)
	if err != nil {
		v.complain(err)
		return
	}
	v.load(file)
	v.logger.Info("the users file was read again", zap.String("file", v.path), zap.Int("users", len(file.Users)))
}

func (v *Verifier) complain(err error) {
	v.logger.Error("the users file cannot be used; the last good one stays in force", zap.String("file", v.path), zap.Error(err))
}

// changed returns the content of the file where it is not what was read last,
// else nil. Stat follows symbolic links: what they point to is the file.
func (v *Verifier) changed() ([]byte, error) {
	info, err := os.Stat(v.path)
	if err != nil {
		return nil, fmt.Errorf("users file: %w", err)
	}
	if sameState(v.watch.seen, info) && v.now().Sub(info.ModTime()) > settling {
		return nil, nil //nolint:nilnil // nothing changed is no error
	}
	raw, err := readBounded(v.path)
	if err != nil {
		return nil, err
	}
	v.watch.seen = info
	sum := sha256.Sum256(raw)
	if sum == v.watch.content {
		return nil, nil //nolint:nilnil // nothing changed is no error
	}
	v.watch.content = sum
	return raw, nil
}

func sameState(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
