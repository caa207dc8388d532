// Command vllmsim serves the built-in simulator of vLLM by itself. What it
// answers is decided by the prompt; see package vllmsim.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/openova-io/llm-gateway/internal/vllmsim"
)

const (
	// idleTimeout is after how much silence the real server closes a kept-alive
	// connection.
	idleTimeout = 5 * time.Second
	// readHeaderTimeout bounds clients that never finish their headers.
	readHeaderTimeout = 10 * time.Second
	// drainTimeout is how long open answers may go on after a signal.
	drainTimeout = 2 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], slog.New(slog.NewTextHandler(os.Stderr, nil)))
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		slog.Error("vllmsim ended", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, log *slog.Logger) error {
	var o vllmsim.Options
	fs := flag.NewFlagSet("vllmsim", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:8101", "address to listen on")
	insecure := fs.Bool("insecure-listen", false, "allow an address that other machines can reach")
	models := fs.String("model", vllmsim.DefaultModel, "served names, separated by commas; the first is the main one")
	fs.IntVar(&o.MaxModelLen, "max-model-len", vllmsim.DefaultMaxModelLen, "context length in tokens")
	fs.StringVar(&o.APIKey, "key", "", "key that requests below /v1 must carry as a bearer; none by default")
	fs.DurationVar(&o.Gap, "gap", 2*time.Millisecond, "time between two tokens")
	fs.IntVar(&o.MaxNumSeqs, "max-num-seqs", 0, "answers generated at the same time (0: 256)")
	fs.IntVar(&o.MaxNumQueued, "max-num-queued-reqs", 0, "requests that may run and wait before 503 (0: no limit)")
	fs.BoolVar(&o.PromptTokensDetails, "enable-prompt-tokens-details", false, "report cached tokens in usage")
	fs.BoolVar(&o.RequestIDHeaders, "enable-request-id-headers", false, "answer with x-request-id")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.Models = strings.Split(*models, ",")
	if !*insecure && !loopback(*listen) {
		return fmt.Errorf("%s can be reached from other machines and the simulator has no protection: use 127.0.0.1 or add --insecure-listen", *listen)
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listening for requests: %w", err)
	}
	log.Info("simulating vLLM; answers come from no model", "address", "http://"+ln.Addr().String(), "model", o.Models[0], "max_model_len", o.MaxModelLen)
	return serve(ctx, ln, vllmsim.New(o))
}

// serve ends open answers when ctx does, as the real server does by default.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, IdleTimeout: idleTimeout, ReadHeaderTimeout: readHeaderTimeout}
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// ctx is over already; the drain has a clock of its own.
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := srv.Shutdown(drain); err != nil {
			err = srv.Close()
			closed <- err
			return
		}
		closed <- nil
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return <-closed
}

// loopback says that only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
