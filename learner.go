package llmgateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/routing"
)

// learner asks one backend in the background which models it serves and what
// they can do, and tells the table. Requests never wait for it: until an answer
// is there, the table works with what the configuration says.
type learner struct {
	upstreams *upstreams
	table     *routing.Table
	logger    *zap.Logger
}

const (
	learnEvery   = time.Minute
	learnRetry   = 2 * time.Second
	learnTimeout = 10 * time.Second
	// secretEvery is how often a key that lives in a file is read again.
	secretEvery = 2 * time.Second
	// maxModelList bounds the answer; Ollama's and OpenAI's are well below.
	maxModelList = 4 << 20
)

func newLearner(u *upstreams, table *routing.Table, logger *zap.Logger) *learner {
	return &learner{upstreams: u, table: table, logger: logger}
}

// run learns until the context ends. Failures come back sooner and are logged
// once per change.
func (l *learner) run(ctx context.Context) {
	if l.upstreams.key.inFile() {
		go l.refreshKey(ctx)
	}
	if l.upstreams.address == nil {
		return
	}
	wait, failing := time.Duration(0), false
	for sleep(ctx, wait) {
		models, err := l.ask(ctx)
		switch {
		case err == nil:
			l.table.Learn(l.upstreams.Name, models)
			wait, failing = learnEvery, false
			continue
		case !failing && ctx.Err() == nil:
			l.logger.Warn("a backend's models cannot be listed; the names in the configuration hold", zapBackend(l.upstreams.Name), zap.Error(err))
		}
		failing = true
		wait = min(max(learnRetry, 2*wait), learnEvery)
	}
}

// refreshKey re-reads a key that lives in a file.
func (l *learner) refreshKey(ctx context.Context) {
	for sleep(ctx, secretEvery) {
		if err := l.upstreams.key.resolve(true); err != nil {
			l.logger.Warn("a backend's key cannot be read again; the last one stays", zapBackend(l.upstreams.Name), zap.Error(err))
			if !sleep(ctx, learnEvery) {
				return
			}
		}
	}
}

// ask goes through the guest proxy's own transport: the operator's certificate
// authorities, client certificates and timeouts hold here too, and a transport
// follows no redirect that could carry the key elsewhere.
func (l *learner) ask(ctx context.Context) ([]routing.Model, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer()), learnTimeout)
	defer cancel()
	target := *l.upstreams.address
	target.Path = l.upstreams.basePath + "/models"
	if l.upstreams.API == routing.Anthropic {
		target.RawQuery = "limit=1000"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking for models: %w", err)
	}
	routing.UpstreamHeader(req.Header, nil, routing.Hop{Backend: &l.upstreams.Backend})
	res, err := l.upstreams.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("asking for models: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for models: status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxModelList))
	if err != nil {
		return nil, fmt.Errorf("reading models: %w", err)
	}
	return routing.ParseModels(l.upstreams.API, body)
}

// sleep waits and reports whether the context still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
