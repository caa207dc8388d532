package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"llmgwbench/internal/compare"
	"llmgwbench/internal/parts"
	"llmgwbench/internal/record"
)

// column is one column of a scenario's table: the median of a figure, or with a
// base the median of its ratios to that target.
type column struct {
	head   string
	figure compare.Figure
	base   string
	digits int
}

var (
	plainColumns = []column{
		{"req/s", compare.Throughput, "", 0},
		{"× caddy", compare.Throughput, "caddy", 2},
		{"p50 ms", compare.P50, "", 3},
		{"p99 ms", compare.P99, "", 3},
		{"CPU-µs/req", compare.CPU, "", 1},
		{"× caddy", compare.CPU, "caddy", 2},
		{"Redis CPU-µs/req", redisCPU, "", 1},
		{"peak MB", compare.PeakMB, "", 0},
		{"foreign cores", compare.Foreign, "", 2},
		{"errors", failed, "", 0},
	}
	streamColumns = []column{
		{"events/s", compare.Events, "", 0},
		{"× caddy", compare.Events, "caddy", 2},
		{"first event p50 µs", compare.FirstEvent, "", 0},
		{"event delay p50 µs", compare.EventP50, "", 0},
		{"p99 µs", compare.EventP99, "", 0},
		{"CPU-µs/event", compare.EventCPU, "", 2},
		{"× caddy", compare.EventCPU, "caddy", 2},
		{"peak MB", compare.PeakMB, "", 0},
		{"foreign cores", compare.Foreign, "", 2},
		{"errors", failed, "", 0},
	}
	holdColumns = []column{
		{"streams held", func(r record.Record) float64 { return float64(r.Result.Requests) }, "", 0},
		{"RSS before MB", func(r record.Record) float64 { return float64(r.RSS) / (1 << 20) }, "", 0},
		{"KB per idle stream", compare.IdleStreamKB, "", 1},
	}
)

func failed(r record.Record) float64 { return float64(r.Result.Errors) }

func redisCPU(r record.Record) float64 {
	if v, ok := r.ServiceCPU["redis"]; ok {
		return v
	}
	return math.NaN()
}

// tables prints, per scenario, one row per target.
func tables(w io.Writer, all []record.Record) {
	var names, targets []string
	for _, r := range all {
		if !slices.Contains(names, r.Scenario) {
			names = append(names, r.Scenario)
		}
		if !slices.Contains(targets, r.Target) {
			targets = append(targets, r.Target)
		}
	}
	slices.Sort(targets)
	for _, name := range names {
		columns := plainColumns
		switch {
		case strings.HasPrefix(name, "stream-"):
			columns = streamColumns
		case strings.HasPrefix(name, "idle-"):
			columns = holdColumns
		}
		fmt.Fprintf(w, "\n### %s\n\n| target |", name)
		for _, c := range columns {
			fmt.Fprintf(w, " %s |", c.head)
		}
		fmt.Fprintf(w, "\n|%s\n", strings.Repeat("---|", len(columns)+1))
		for _, target := range targets {
			if runs := compare.Of(all, name, target); len(runs) > 0 {
				fmt.Fprintf(w, "| %s |", target)
				for _, c := range columns {
					fmt.Fprintf(w, " %s |", c.cell(all, name, target))
				}
				fmt.Fprintln(w)
			}
		}
	}
}

func (c column) cell(all []record.Record, scenario, target string) string {
	s := compare.Level(compare.Of(all, scenario, target), c.figure)
	if c.base != "" {
		pairs, _ := compare.Quiet(compare.Pairs(all, scenario, target, c.base))
		s = compare.Ratio(pairs, c.figure)
	}
	if math.IsNaN(s.Median) {
		return "–"
	}
	return fmt.Sprintf("%.*f", c.digits, s.Median)
}

// summary prints one line per part; the scan's speed belongs to the last one.
func summary(w io.Writer, list []parts.Part, all []record.Record, speed float64) error {
	dropped := 0
	for _, p := range list {
		for _, r := range p.Rows {
			dropped += r.Spread(all).Dropped
		}
	}
	_, err := fmt.Fprintf(w, "\n%d runs; %d ratios of single rounds left out, because the foreign load of the two runs differed by more than %.1f cores\n\n",
		len(all), dropped, compare.MaxForeignGap)
	if err != nil {
		return err
	}
	for i, p := range list {
		line := p.Line(all)
		if i == len(list)-1 && !math.IsNaN(speed) {
			line += fmt.Sprintf(" scan_gbs=%.2f", speed)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// scanSpeed reads the scanner's speed from the output of its Go benchmark.
func scanSpeed(path string) (float64, error) {
	if path == "" {
		return math.NaN(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return parts.ScanSpeed(bufio.NewScanner(f))
}
