package compare_test

import (
	"math"
	"testing"

	"llmgwbench/internal/compare"
	"llmgwbench/internal/load"
	"llmgwbench/internal/record"
)

func run(target string, round int, rps, foreign float64) record.Record {
	return record.Record{
		Target: target, Scenario: "small", Round: round, ForeignCores: foreign,
		Result: &load.Result{RPS: rps},
	}
}

func same(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9
}

func TestRatioOfInterleavedRounds(t *testing.T) {
	none := math.NaN()
	for _, tc := range []struct {
		name string
		runs []record.Record
		want compare.Spread
	}{
		{
			name: "the median of ratios, not the ratio of medians",
			runs: []record.Record{
				run("base", 1, 100, 0), run("ours", 1, 50, 0),
				run("base", 2, 10, 0), run("ours", 2, 9, 0),
				run("base", 3, 1000, 0), run("ours", 3, 600, 0),
			},
			want: compare.Spread{Median: 0.6, Low: 0.5, High: 0.9, Kept: 3},
		},
		{
			name: "an even number of rounds: the mean of the two in the middle",
			runs: []record.Record{
				run("base", 1, 10, 0), run("ours", 1, 4, 0),
				run("base", 2, 10, 0), run("ours", 2, 8, 0),
			},
			want: compare.Spread{Median: 0.6, Low: 0.4, High: 0.8, Kept: 2},
		},
		{
			name: "a disturbed pair is left out, on whichever side",
			runs: []record.Record{
				run("base", 1, 10, 0.31), run("ours", 1, 9, 0),
				run("base", 2, 10, 0), run("ours", 2, 8, 0.31),
				run("base", 3, 10, 1), run("ours", 3, 5, 1.25),
			},
			want: compare.Spread{Median: 0.5, Low: 0.5, High: 0.5, Kept: 1, Dropped: 2},
		},
		{
			name: "a round that one side lacks makes no pair",
			runs: []record.Record{run("base", 1, 10, 0), run("ours", 2, 5, 0)},
			want: compare.Spread{Median: none, Low: none, High: none},
		},
		{
			name: "a base of zero makes no ratio",
			runs: []record.Record{run("base", 1, 0, 0), run("ours", 1, 5, 0)},
			want: compare.Spread{Median: none, Low: none, High: none},
		},
		{
			name: "another scenario and another target do not count",
			runs: []record.Record{
				run("base", 1, 10, 0), run("ours", 1, 5, 0), run("theirs", 1, 1, 0),
				{Target: "ours", Scenario: "big", Round: 1, Result: &load.Result{RPS: 1}},
			},
			want: compare.Spread{Median: 0.5, Low: 0.5, High: 0.5, Kept: 1},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pairs, dropped := compare.Quiet(compare.Pairs(tc.runs, "small", "ours", "base"))
			got := compare.Ratio(pairs, compare.Throughput)
			got.Dropped = dropped
			if !same(got.Median, tc.want.Median) || !same(got.Low, tc.want.Low) || !same(got.High, tc.want.High) ||
				got.Kept != tc.want.Kept || got.Dropped != tc.want.Dropped {
				t.Errorf("Ratio = %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestAddedIsTakenPerPair(t *testing.T) {
	runs := []record.Record{
		run("base", 1, 10, 0), run("ours", 1, 12, 0),
		run("base", 2, 90, 0), run("ours", 2, 91, 0),
		run("base", 3, 50, 0), run("ours", 3, 57, 0),
	}
	got := compare.Added(compare.Pairs(runs, "small", "ours", "base"), compare.Throughput)
	if want := (compare.Spread{Median: 2, Low: 1, High: 7, Kept: 3}); got != want {
		t.Errorf("Added = %+v, want %+v", got, want)
	}
}

func TestStreamFiguresOfARunWithoutEventsDoNotCount(t *testing.T) {
	runs := []record.Record{run("ours", 1, 10, 0)}
	if got := compare.Level(runs, compare.EventP50); got.Kept != 0 || !math.IsNaN(got.Median) {
		t.Errorf("Level = %+v, want no round", got)
	}
}
