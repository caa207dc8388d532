package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const profileBytes = 64 << 20

// capture takes a processor and an allocation profile of a Caddy target while
// it is under load; the channel says when both are written. Without -profile it
// does nothing.
func (h *harness) capture(ctx context.Context, t *target, sc scenario) <-chan error {
	done := make(chan error, 1)
	if h.profile == "" || len(t.Cmd) == 0 || sc.hold {
		done <- nil
		return done
	}
	go func() {
		time.Sleep(warmup)
		cpu := make(chan error, 1)
		go func() { cpu <- h.fetch(ctx, t, sc, "profile", "cpu") }()
		err := h.fetch(ctx, t, sc, "allocs", "allocs")
		if other := <-cpu; err == nil {
			err = other
		}
		done <- err
	}()
	return done
}

// fetch writes one profile to <target>-<scenario>.<kind>.
func (h *harness) fetch(ctx context.Context, t *target, sc scenario, which, kind string) error {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", t.socket(h.vars["RUN"]))
	}}}
	defer client.CloseIdleConnections()
	seconds := max(1, int(sc.secs))
	url := fmt.Sprintf("http://127.0.0.1/debug/pprof/%s?seconds=%d", which, seconds)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, profileBytes))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s of %s: %s", which, t.Name, answer.Status)
	}
	return os.WriteFile(filepath.Join(h.profile, t.Name+"-"+sc.name+"."+kind), b, 0o600)
}
