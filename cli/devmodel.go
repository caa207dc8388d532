package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/openova-io/llm-gateway/internal/vllmsim"
)

// devModel is what answers in dev.
type devModel struct {
	url       string // with base path
	names     []string
	simulated bool
}

func (m *devModel) describe() string {
	if m.simulated {
		return "built-in simulator (answers are not a model's)"
	}
	return m.url + " (" + m.names[0] + ")"
}

// findModel returns the real model that a flag or the environment names, or
// starts the simulator.
func findModel(ctx context.Context, flag string) (*devModel, error) {
	upstream := cmp.Or(flag, os.Getenv("INTERNAL_LLM_URL"), ollamaURL(os.Getenv("OLLAMA_HOST")))
	if upstream == "" {
		return startSimulator()
	}
	u, err := url.Parse(upstream)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("upstream %q is no URL; write it as http://localhost:8001/v1", upstream)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1"
	}
	names, err := listModels(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("%w\nis the server at %s running? without --upstream, INTERNAL_LLM_URL and OLLAMA_HOST the built-in simulator answers", err, u.Redacted())
	}
	return &devModel{url: u.String(), names: names}, nil
}

// ollamaURL completes OLLAMA_HOST, which may be a bare host or host:port.
func ollamaURL(host string) string {
	switch {
	case host == "":
		return ""
	case strings.Contains(host, "://"):
		return host
	case strings.Contains(host, ":"):
		return "http://" + host
	default:
		return "http://" + net.JoinHostPort(host, "11434")
	}
}

// maxModelList bounds what an upstream may answer when it is asked for models.
const maxModelList = 4 << 20

// listModels asks the upstream which models it serves, in its own order.
func listModels(ctx context.Context, base *url.URL) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("models").String(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking for models: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking for models: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var list struct{ Data []struct{ ID string } }
	if err := json.NewDecoder(io.LimitReader(res.Body, maxModelList)).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading models: %w", err)
	}
	var names []string
	for _, m := range list.Data {
		names = append(names, m.ID)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s lists no model", base.Redacted())
	}
	return names, nil
}

// simulatedGap is the pace of the simulator's tokens: quick, and slow enough
// that streaming is seen.
const simulatedGap = 10 * time.Millisecond

// startSimulator serves the simulator on a free loopback port until the process
// ends.
func startSimulator() (*devModel, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the simulator: %w", err)
	}
	server := &http.Server{
		Handler:           vllmsim.New(vllmsim.Options{Gap: simulatedGap}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go server.Serve(listener) //nolint:errcheck // it ends with the process
	return &devModel{
		url: "http://" + listener.Addr().String() + "/v1", names: []string{vllmsim.DefaultModel}, simulated: true,
	}, nil
}
