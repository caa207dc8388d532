package compare

import (
	"math"

	"llmgwbench/internal/record"
)

// Throughput is good answers a second.
func Throughput(r record.Record) float64 { return r.Result.RPS }

// Events is streamed events a second.
func Events(r record.Record) float64 { return r.Result.EventRate }

// CPU is the gateway's µs a good answer.
func CPU(r record.Record) float64 { return r.CPUPerRequest }

// EventCPU is the gateway's µs a streamed event.
func EventCPU(r record.Record) float64 { return r.CPUPerEvent }

// P50 is the median latency in ms, from the intended send time.
func P50(r record.Record) float64 { return r.Result.Latency.P50 / 1e3 }

// P99 is the 99th percentile of the latency in ms.
func P99(r record.Record) float64 { return r.Result.Latency.P99 / 1e3 }

// EventP50 is the median time in µs from the model's write of an event to the
// client's read.
func EventP50(r record.Record) float64 {
	if r.Result.Event == nil {
		return math.NaN()
	}
	return r.Result.Event.P50
}

// EventP99 is the 99th percentile of that time in µs.
func EventP99(r record.Record) float64 {
	if r.Result.Event == nil {
		return math.NaN()
	}
	return r.Result.Event.P99
}

// FirstEvent is the median time to the first event in µs.
func FirstEvent(r record.Record) float64 {
	if r.Result.TTFT == nil {
		return math.NaN()
	}
	return r.Result.TTFT.P50
}

// PeakMB is the most resident memory during the run, in MiB.
func PeakMB(r record.Record) float64 { return float64(r.Peak) / (1 << 20) }

// IdleStreamKB is the resident memory that one held stream adds, in KiB.
func IdleStreamKB(r record.Record) float64 { return float64(r.PerStream) / (1 << 10) }

// Foreign is the cores that others kept busy.
func Foreign(r record.Record) float64 { return r.ForeignCores }
