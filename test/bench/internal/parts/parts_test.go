package parts

import (
	"bufio"
	"errors"
	"strings"
	"testing"

	"llmgwbench/internal/compare"
	"llmgwbench/internal/load"
	"llmgwbench/internal/record"
)

func run(target, scenario string, round int, rps, foreign float64) record.Record {
	return record.Record{
		Target: target, Scenario: scenario, Round: round, ForeignCores: foreign, Peak: 64 << 20,
		Result: &load.Result{RPS: rps},
	}
}

var sample = []record.Record{
	run("caddy", "small", 1, 100, 0), run("ours", "small", 1, 60, 0),
	run("caddy", "small", 2, 100, 0), run("ours", "small", 2, 50, 1),
}

var part = Part{Name: "test", Rows: []Row{
	{Name: "throughput", Scenario: "small", Target: "ours", Base: "caddy", figure: compare.Throughput, digits: 2, goal: 0.55, atLeast: true},
	{Name: "more", Scenario: "small", Target: "ours", Base: "caddy", figure: compare.Throughput, how: added, digits: 1, goal: -50},
	{Name: "rss", Scenario: "small", Target: "ours", figure: compare.PeakMB, how: level, memory: true, digits: 0, goal: 60},
	{Name: "absent", Scenario: "big", Target: "ours", Base: "caddy", figure: compare.Throughput, digits: 2, goal: 1},
}}

func TestLine(t *testing.T) {
	want := "bench test: throughput=0.60 more=-40.0 rss=64 absent=n/a"
	if got := part.Line(sample); got != want {
		t.Errorf("Line = %q, want %q", got, want)
	}
}

func TestTableNamesWhatFallsShort(t *testing.T) {
	var b strings.Builder
	part.Table(&b, sample)
	for _, want := range []string{
		"| throughput | ours ÷ caddy | small | 0.60 | 0.60 … 0.60 | 1 | 1 | ≥ 0.55 | met |",
		"| more | ours − caddy | small | -40.0 | -40.0 … -40.0 | 1 | 1 | ≤ -50.0 | short by 10.0 |",
		"| rss | ours | small | 64 | 64 … 64 | 2 | 0 | ≤ 60 | short by 4 |",
		"| absent | ours ÷ caddy | big | n/a | n/a … n/a | 0 | 0 | ≤ 1.00 | not measured |",
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestMemoryIsComparedWhateverOthersDo(t *testing.T) {
	row := Row{Scenario: "small", Target: "ours", Base: "caddy", figure: compare.PeakMB, how: added, memory: true}
	if s := row.Spread(sample); s.Kept != 2 || s.Dropped != 0 {
		t.Errorf("Spread = %+v, want both rounds", s)
	}
}

func TestLackingAsksForRoundsOnlyWhereOthersDisturbed(t *testing.T) {
	list := []Part{part}
	for _, tc := range []struct {
		name, scenario string
		want           int
		lacking        bool
	}{
		{"one of two rounds was disturbed", "small", 2, true},
		{"enough rounds are left", "small", 1, false},
		{"nothing was measured, nothing was disturbed", "big", 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Lacking(list, sample, tc.scenario, tc.want); got != tc.lacking {
				t.Errorf("Lacking(%s, %d) = %v", tc.scenario, tc.want, got)
			}
		})
	}
}

func TestEveryRowOfTheProxyPartCanBeMeasured(t *testing.T) {
	names := map[string]bool{}
	for _, p := range Proxy() {
		for _, r := range p.Rows {
			if r.figure == nil || r.Scenario == "" || r.Target == "" || (r.how == level) != (r.Base == "") {
				t.Errorf("%s: row %+v is incomplete", p.Name, r)
			}
			if names[p.Name+r.Name] {
				t.Errorf("%s: %s stands twice", p.Name, r.Name)
			}
			names[p.Name+r.Name] = true
		}
	}
}

func TestScanSpeed(t *testing.T) {
	for _, tc := range []struct {
		name, output string
		want         float64
		err          error
	}{
		{
			name: "the median of the runs",
			output: "goos: linux\nBenchmarkScan/150KB-2  7 1 ns/op 2500.50 MB/s 0 B/op\n" +
				"BenchmarkScan/150KB-2  7 1 ns/op 900.00 MB/s 0 B/op\nBenchmarkScan/150KB-2  7 1 ns/op 2600.00 MB/s 0 B/op\nPASS\n",
			want: 2.5005,
		},
		{name: "no speed", output: "BenchmarkScan-2 7 1 ns/op\nok 10 MB/s\n", err: errNoSpeed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ScanSpeed(bufio.NewScanner(strings.NewReader(tc.output)))
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("ScanSpeed = %v, %v; want %v, %v", got, err, tc.want, tc.err)
			}
		})
	}
}
