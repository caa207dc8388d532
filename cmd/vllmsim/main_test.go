package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestRefusesToBeReachedFromElsewhere(t *testing.T) {
	for address, inside := range map[string]bool{
		"127.0.0.1:8101": true, "[::1]:8101": true, "localhost:8101": true,
		":8101": false, "0.0.0.0:8101": false, "[::]:8101": false, "10.0.0.1:8101": false, "example.com:80": false, "8101": false,
	} {
		if got := loopback(address); got != inside {
			t.Errorf("loopback(%q) = %v, want %v", address, got, inside)
		}
	}
	err := run(t.Context(), []string{"--listen", "0.0.0.0:0"}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "--insecure-listen") {
		t.Errorf("run(0.0.0.0) = %v, want an error that names the flag", err)
	}
}

func TestServesUntilTold(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var log lines
	log.told = make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"--listen", address, "--model", "m,n", "--max-model-len", "1000", "--gap", "0"}, slog.New(slog.NewTextHandler(&log, nil)))
	}()
	<-log.told
	res, err := http.Get("http://" + address + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !bytes.Contains(body, []byte(`"id":"m"`)) || !bytes.Contains(body, []byte(`"id":"n"`)) || !bytes.Contains(body, []byte(`"max_model_len":1000`)) {
		t.Errorf("/v1/models: %s, %v", body, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run ended with %v", err)
	}
}

// lines tells when the first line was logged: the socket listens by then.
type lines struct{ told chan struct{} }

func (l *lines) Write(p []byte) (int, error) {
	select {
	case <-l.told:
	default:
		close(l.told)
	}
	return len(p), nil
}
