package parts

import "llmgwbench/internal/compare"

// Targets of targets.json.
const (
	plain       = "caddy"
	plainLog    = "caddy-log"
	floorFull   = "floor-full"
	floorSettle = "floor-settle"
	gateway     = "llm-gateway"
	gatewayLog  = "llm-gateway-log"
)

// Proxy is the whole gateway (token, reserve and settle in Redis, route,
// metrics) against plain reverse_proxy, without and with a log, and the floors
// that tell what such a gateway must cost.
func Proxy() []Part {
	rows := costs(gateway, plain)
	rows = append(rows,
		Row{Name: "small.vs_floor_settle", Scenario: "small-c16", Target: gateway, Base: floorSettle, figure: compare.Throughput, digits: 2, goal: 0.95, atLeast: true},
		Row{Name: "small.cpu_vs_floor_settle", Scenario: "small-c16", Target: gateway, Base: floorSettle, figure: compare.CPU, digits: 2},
		Row{Name: "stream.delay", Scenario: "stream-5ms", Target: gateway, Base: plain, figure: compare.EventP50, digits: 2, goal: 1.1},
		Row{Name: "stream.delay_p99", Scenario: "stream-5ms", Target: gateway, Base: plain, figure: compare.EventP99, digits: 2},
		Row{Name: "added_p50_ms", Scenario: "small-r400", Target: gateway, Base: plain, figure: compare.P50, how: added, digits: 3},
		Row{Name: "p50_over_floor_settle_ms", Scenario: "small-r400", Target: gateway, Base: floorSettle, figure: compare.P50, how: added, digits: 3, goal: 0.1},
		Row{Name: "added_p99_ms", Scenario: "small-r400", Target: gateway, Base: plain, figure: compare.P99, how: added, digits: 3, goal: 2},
		Row{Name: "rss_c16_mb", Scenario: "small-c16", Target: gateway, figure: compare.PeakMB, how: level, memory: true, digits: 0, goal: 100},
		Row{Name: "rss_big_c16_mb", Scenario: "big-c16", Target: gateway, figure: compare.PeakMB, how: level, memory: true, digits: 0, goal: 100},
		Row{Name: "idle_stream_kb", Scenario: "idle-1000", Target: gateway, figure: compare.IdleStreamKB, how: level, memory: true, digits: 1},
		Row{Name: "idle_stream_added_kb", Scenario: "idle-1000", Target: gateway, Base: plain, figure: compare.IdleStreamKB, how: added, memory: true, digits: 1, goal: 8},
	)
	return []Part{
		{Name: "proxy-floor", Rows: []Row{
			{Name: "full.throughput", Scenario: "small-c16", Target: floorFull, Base: plain, figure: compare.Throughput, digits: 2},
			{Name: "full.cpu", Scenario: "small-c16", Target: floorFull, Base: plain, figure: compare.CPU, digits: 2},
			{Name: "settle.throughput", Scenario: "small-c16", Target: floorSettle, Base: plain, figure: compare.Throughput, digits: 2},
			{Name: "settle.cpu", Scenario: "small-c16", Target: floorSettle, Base: plain, figure: compare.CPU, digits: 2},
			{Name: "settle.big_throughput", Scenario: "big-c16", Target: floorSettle, Base: plain, figure: compare.Throughput, digits: 2},
			{Name: "settle.big_cpu", Scenario: "big-c16", Target: floorSettle, Base: plain, figure: compare.CPU, digits: 2},
			{Name: "settle.added_p50_ms", Scenario: "small-r400", Target: floorSettle, Base: plain, figure: compare.P50, how: added, digits: 3},
			{Name: "settle.added_p99_ms", Scenario: "small-r400", Target: floorSettle, Base: plain, figure: compare.P99, how: added, digits: 3},
		}},
		{Name: "proxy-log", Rows: costs(gatewayLog, plainLog)},
		{Name: "proxy", Rows: rows},
	}
}

// costs are the throughput and the processor time of a target, per kind of load.
func costs(target, base string) []Row {
	return []Row{
		{Name: "small.throughput", Scenario: "small-c16", Target: target, Base: base, figure: compare.Throughput, digits: 2, goal: 0.55, atLeast: true},
		{Name: "small.cpu", Scenario: "small-c16", Target: target, Base: base, figure: compare.CPU, digits: 2, goal: 1.6},
		{Name: "big.throughput", Scenario: "big-c16", Target: target, Base: base, figure: compare.Throughput, digits: 2, goal: 0.70, atLeast: true},
		{Name: "big.cpu", Scenario: "big-c16", Target: target, Base: base, figure: compare.CPU, digits: 2, goal: 1.5},
		{Name: "stream.throughput", Scenario: "stream-b2b", Target: target, Base: base, figure: compare.Events, digits: 2, goal: 0.9, atLeast: true},
		{Name: "stream.cpu", Scenario: "stream-b2b", Target: target, Base: base, figure: compare.EventCPU, digits: 2},
	}
}
