package vllmsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// metricsText writes Prometheus text with the names and labels of the real
// server, for the series that mean something here.
type metricsText struct {
	strings.Builder
	labels string // engine and model_name, in the order of the real server
}

func (t *metricsText) head(name, kind, help string) {
	fmt.Fprintf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (t *metricsText) line(name, labels string, value float64) {
	fmt.Fprintf(t, "%s{%s} %s\n", name, labels, pyFloat(value))
}

func (t *metricsText) one(name, kind, help string, value int) {
	t.head(name, kind, help)
	t.line(name, t.labels, float64(value))
}

func (t *metricsText) histogram(name, help string, h *histogram) {
	t.head(name, "histogram", help)
	sum := 0
	for i, bound := range latencyBounds {
		if h.counts != nil {
			sum += h.counts[i]
		}
		t.line(name+"_bucket", fmt.Sprintf(`%s,le="%s"`, t.labels, pyFloat(bound)), float64(sum))
	}
	t.line(name+"_bucket", t.labels+`,le="+Inf"`, float64(h.count))
	t.line(name+"_count", t.labels, float64(h.count))
	t.line(name+"_sum", t.labels, h.sum)
}

func (s *Server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	model := fmt.Sprintf("model_name=%q", s.opts.Models[0])
	t := &metricsText{labels: `engine="0",` + model}
	var engine Report
	if r, ok := s.opts.Engine.(Reporter); ok {
		engine = r.Report()
	}
	m := s.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	t.gauges(m, engine)
	t.cache(engine)
	t.counters(m, model)
	t.histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", &m.firstToken)
	t.histogram("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", &m.interToken)
	t.histogram("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", &m.endToEnd)
	t.histogram("vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", &m.queued)
	t.requests(m)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(t.String()))
}

func (t *metricsText) gauges(m *metrics, engine Report) {
	waiting := m.stats.Waiting + engine.Waiting
	t.one("vllm:num_requests_running", "gauge", "Number of requests in model execution batches.", max(0, m.stats.Running-engine.Waiting))
	t.one("vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.", waiting)
	const reasons = "vllm:num_requests_waiting_by_reason"
	t.head(reasons, "gauge", "Number of waiting requests by reason.")
	t.line(reasons, t.labels+`,reason="capacity"`, float64(waiting))
	t.line(reasons, t.labels+`,reason="deferred"`, 0)
	const sleep = "vllm:engine_sleep_state"
	t.head(sleep, "gauge", "Engine sleep state; awake = 1 means engine is awake.")
	t.line(sleep, t.labels+`,sleep_state="awake"`, 1)
}

func (t *metricsText) cache(engine Report) {
	const usage = "vllm:kv_cache_usage_perc"
	t.head(usage, "gauge", "KV-cache usage. 1 means 100 percent usage.")
	t.line(usage, t.labels, engine.KVUsage)
	t.one("vllm:num_preemptions_total", "counter", "Cumulative number of preemption from the engine.", engine.Preemptions)
	const config = "vllm:cache_config_info"
	caching := "False"
	if engine.PrefixCaching {
		caching = "True"
	}
	t.head(config, "gauge", "Information of the LLMEngine CacheConfig")
	t.line(config, fmt.Sprintf(`block_size="%d",enable_prefix_caching="%s",engine="0",kv_cache_size_tokens="%d",num_gpu_blocks="%d"`,
		engine.BlockSize, caching, engine.BlockSize*engine.Blocks, engine.Blocks), 1)
}

func (t *metricsText) counters(m *metrics, model string) {
	t.one("vllm:prefix_cache_queries_total", "counter", "Prefix cache queries, in terms of number of queried tokens.", m.promptTokens)
	t.one("vllm:prefix_cache_hits_total", "counter", "Prefix cache hits, in terms of number of cached tokens.", m.cachedTokens)
	t.one("vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed.", m.promptTokens)
	const sources = "vllm:prompt_tokens_by_source_total"
	t.head(sources, "counter", "Number of prompt tokens by source.")
	t.line(sources, t.labels+`,source="local_compute"`, float64(m.promptTokens-m.cachedTokens))
	t.line(sources, t.labels+`,source="local_cache_hit"`, float64(m.cachedTokens))
	t.line(sources, t.labels+`,source="external_kv_transfer"`, 0)
	t.one("vllm:prompt_tokens_cached_total", "counter", "Number of cached prompt tokens (local + external).", m.cachedTokens)
	t.one("vllm:generation_tokens_total", "counter", "Number of generation tokens processed.", m.stats.Tokens)
	const success = "vllm:request_success_total"
	t.head(success, "counter", "Count of successfully processed requests.")
	for _, f := range []Finish{FinishStop, FinishLength, FinishAbort} {
		t.line(success, `engine="0",finished_reason="`+string(f)+`",`+model, float64(m.success[f]))
	}
	const rejections = "vllm:admission_rejections_total"
	t.head(rejections, "counter", "Number of admission attempts rejected by a queue limit, by reason.")
	t.line(rejections, model+`,reason="max_num_queued_reqs"`, float64(m.stats.Rejected))
	t.line(rejections, model+`,reason="max_num_queued_tokens"`, 0)
	// The real server counts these nowhere; the name says whose series it is.
	t.one("vllmsim:aborted_total", "counter", "Answers that ended early because the client left or a fault was scripted.", m.stats.Aborted)
}

func (t *metricsText) requests(m *metrics) {
	const name = "http_requests_total"
	t.head(name, "counter", "Total number of requests by method, status and handler.")
	keys := slices.SortedFunc(maps.Keys(m.requests), func(a, b requestKey) int {
		return strings.Compare(a.handler+a.method+a.status, b.handler+b.method+b.status)
	})
	for _, k := range keys {
		t.line(name, fmt.Sprintf("handler=%q,method=%q,status=%q", k.handler, k.method, k.status), float64(m.requests[k]))
	}
}
