package llmgateway

import (
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/routing"
)

// finish ends a request, whatever happened to it: the charge is settled, the
// metrics are observed, one line is logged. It runs in a defer, also while a
// panic passes (http.ErrAbortHandler is normal control flow).
func (a *admission) finish(r *http.Request) {
	if a.charge != nil && !a.settled {
		a.outcome.word = "aborted"
		a.giveBack(r.Context(), quota.GiveBack, "refunded: the gateway failed")
	}
	a.body.release()
	took := a.site.now().Sub(a.arrived)
	if a.endpoint.kind == kindInference {
		metrics.streams.Dec()
		a.observe(took)
	}
	a.log(took)
	if a.facts != &noFacts {
		factsPool.Put(a.facts)
		a.facts = &noFacts
	}
}

const noTier = "none"

// observe feeds the metrics of charged endpoints.
func (a *admission) observe(took time.Duration) {
	tier := noTier
	if a.tier != nil {
		tier = a.tier.name
		a.tier.series.requests.Inc()
	} else {
		metrics.requests.WithLabelValues(noTier).Inc()
	}
	metrics.duration.Observe(took.Seconds())
	metrics.responses.WithLabelValues(tier, a.endpoint.name, strconv.Itoa(a.outcome.status)).Inc()
	if a.outcome.refusal != nil {
		metrics.refusals.WithLabelValues(a.outcome.refusal.Kind.String()).Inc()
	}
	switch {
	case a.routed:
		metrics.routes.WithLabelValues(a.route.Pattern, a.route.Label).Inc()
	case a.denied:
		metrics.routes.WithLabelValues(a.deniedPattern, routing.LabelDenied).Inc()
	}
	if a.tier != nil && !a.outcome.firstByte.IsZero() {
		a.tier.series.firstToken.Observe(a.outcome.firstByte.Sub(a.arrived).Seconds())
	}
}

// log writes the one line of a request. It names the subject, never the person;
// no header, no body and no query is in it.
func (a *admission) log(took time.Duration) {
	line := a.site.requests.Check(zap.InfoLevel, "request")
	if line == nil {
		return
	}
	fields := make([]zap.Field, 0, 24)
	fields = append(fields,
		zap.String("request_id", a.requestID),
		zap.String("endpoint", a.endpoint.name),
		zap.String("dialect", a.dialect.String()),
		zap.Int("status", a.outcome.status),
		zap.String("outcome", a.outcome.word),
		zap.String("client", a.client),
		zap.Float64("duration_ms", milliseconds(took)),
	)
	if a.principal != nil {
		fields = append(fields, zap.String("user", a.principal.Subject), zap.String("tier", a.principal.Tier), zap.String("auth", string(a.principal.Kind)))
	}
	if a.facts.Model != "" {
		fields = append(fields, zap.String("model_from", a.facts.Model), zap.Bool("stream", a.facts.Stream))
	}
	if a.routed {
		fields = append(fields, zap.String("model_to", a.route.Model), zap.String("backend", a.route.Backend), zap.String("route_reason", string(a.route.Reason)))
	}
	if !a.outcome.firstByte.IsZero() {
		fields = append(fields, zap.Float64("ttft_ms", milliseconds(a.outcome.firstByte.Sub(a.arrived))))
	}
	if a.charge != nil {
		fields = append(fields, zap.String("charge", a.outcome.charge))
		if uses := a.charge.Uses(); len(uses) > 0 {
			fields = append(fields, zap.Int64("quota_used", uses[0].Used), zap.Int64("quota_limit", uses[0].Limit))
		}
	}
	if u := a.outcome.answer.Usage; u.Known {
		fields = append(fields, zap.Int64("tokens_in", u.Input), zap.Int64("tokens_out", u.Output),
			zap.Int64("cache_read", u.CacheRead), zap.Int64("cache_write", u.CacheWrite))
	}
	if e := a.outcome.refusal; e != nil {
		fields = append(fields, zap.String("refusal", e.Kind.String()))
		if e.Cause != nil {
			fields = append(fields, zap.NamedError("cause", e.Cause))
		}
	}
	line.Write(fields...)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

func zapBackend(name string) zap.Field { return zap.String("backend", name) }

// clientPrograms are the clients that the log names; a User-Agent itself is
// text of the client and stays out of it.
var clientPrograms = []struct{ prefix, name string }{
	{"claude-cli/", "claude-code"},
	{"claude-code/", "claude-code"},
	{"Anthropic/Python", "anthropic-python"},
	{"AsyncAnthropic/Python", "anthropic-python"},
	{"Anthropic/JS", "anthropic-js"},
	{"OpenAI/Python", "openai-python"},
	{"AsyncOpenAI/Python", "openai-python"},
	{"OpenAI/JS", "openai-js"},
	{"curl/", "curl"},
	{"Bun/", "claude-code"},
}

func clientProgram(userAgent string) string {
	for _, p := range clientPrograms {
		if strings.HasPrefix(userAgent, p.prefix) {
			return p.name
		}
	}
	return "other"
}

const requestIDAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newRequestID returns the name of a request in answers, log and ledger: 100
// bits of the runtime's ChaCha8 generator. It is no secret.
func newRequestID() string {
	b := [24]byte{'r', 'e', 'q', '_'}
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := 4; i < 14; i++ {
		b[i] = requestIDAlphabet[hi&31]
		hi >>= 5
	}
	for i := 14; i < len(b); i++ {
		b[i] = requestIDAlphabet[lo&31]
		lo >>= 5
	}
	return string(b[:])
}

// buildVersion returns the labels of gateway_build_info.
func buildVersion() (version, goVersion string) {
	version, _ = caddy.Version()
	return version, runtime.Version()
}
