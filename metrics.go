package llmgateway

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// The collectors live as long as the process: each load of a configuration
// brings a new registry, and a counter that started over there would say that
// nothing had happened before the reload.
var metrics = newCollectors()

// durationBuckets reach to ten minutes, where agents end; Caddy's own stop at
// ten seconds.
var durationBuckets = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600}

var firstTokenBuckets = []float64{.01, .025, .05, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 120}

type collectors struct {
	requests      *prometheus.CounterVec // gateway_requests_total{tier}
	quotaUsed     *userSeries            // gateway_quota_used{user}
	routes        *prometheus.CounterVec // gateway_model_routes_total{from,to}
	duration      prometheus.Histogram   // gateway_request_duration_seconds
	responses     *prometheus.CounterVec
	firstToken    *prometheus.HistogramVec
	refusals      *prometheus.CounterVec
	upstreamFails *prometheus.CounterVec
	streams       prometheus.Gauge
	chargesOpen   prometheus.GaugeFunc
	buildInfo     *prometheus.GaugeVec
}

func newCollectors() *collectors {
	c := &collectors{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_requests_total",
			Help: "Requests to charged endpoints, refusals included; tier is none without a valid credential.",
		}, []string{"tier"}),
		quotaUsed: newUserSeries(),
		routes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_model_routes_total",
			Help: "Routing decisions: the model asked for and the model that was to answer, or denied.",
		}, []string{"from", "to"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                           "gateway_request_duration_seconds",
			Help:                           "Whole requests to charged endpoints, the stream included.",
			Buckets:                        durationBuckets,
			NativeHistogramBucketFactor:    1.1,
			NativeHistogramMaxBucketNumber: 160,
		}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_responses_total",
			Help: "Answers by tier, endpoint and status.",
		}, []string{"tier", "endpoint", "status"}),
		firstToken: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "gateway_time_to_first_token_seconds",
			Help:    "From the request's arrival to the first content of the answer.",
			Buckets: firstTokenBuckets,
		}, []string{"tier"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_refusals_total",
			Help: "Requests that the gateway refused, by reason.",
		}, []string{"reason"}),
		upstreamFails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_upstream_errors_total",
			Help: "Failed attempts by backend: connect, status, empty or reset.",
		}, []string{"backend", "kind"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_streams_active",
			Help: "Requests to charged endpoints that are being served, streams above all.",
		}),
		chargesOpen: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_charges_open",
			Help: "Charges neither kept nor given back yet; 0 when idle.",
		}, openCharges),
		buildInfo: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gateway_build_info",
			Help: "Always 1; the labels say which build runs.",
		}, []string{"version", "goversion"}),
	}
	c.buildInfo.WithLabelValues(buildVersion()).Set(1)
	return c
}

// register puts the collectors into the registry of one load. A registry that
// has them already (another handler of the same load came first) is fine.
func (c *collectors) register(registry *prometheus.Registry) error {
	for _, collector := range []prometheus.Collector{
		c.requests, c.quotaUsed, c.routes, c.duration, c.responses, c.firstToken,
		c.refusals, c.upstreamFails, c.streams, c.chargesOpen, c.buildInfo,
	} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// tierSeries are the series of one tier, looked up once at load: holding them
// is seven times cheaper than asking by label on every request.
type tierSeries struct {
	requests   prometheus.Counter
	firstToken prometheus.Observer
}

func (c *collectors) tier(name string) tierSeries {
	return tierSeries{
		requests:   c.requests.WithLabelValues(name),
		firstToken: c.firstToken.WithLabelValues(name),
	}
}

// upstreamFail counts a failed attempt.
func (c *collectors) upstreamFail(backend, kind string) {
	c.upstreamFails.WithLabelValues(backend, kind).Inc()
}
