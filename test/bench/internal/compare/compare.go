// Package compare decides which two runs may be compared, and reduces the pairs
// of a whole measurement to a median and its range. It knows no target, no
// scenario and no goal by name.
package compare

import (
	"math"
	"slices"

	"llmgwbench/internal/record"
)

// MaxForeignGap is by how many cores the foreign load of two runs may differ:
// beyond it their ratio says more about the neighbours than about the targets.
const MaxForeignGap = 0.3

// Figure reads one number out of a run; NaN where the run does not have it.
type Figure func(record.Record) float64

// Pair is a target and what it is compared with, in the same round.
type Pair struct{ Target, Base record.Record }

// Spread is a figure over the rounds. Median, Low and High are NaN without a
// round that counts.
type Spread struct {
	Median, Low, High float64
	Kept              int // rounds that count
	Dropped           int // rounds left out because the foreign load differed
}

// Of returns the runs of a target in a scenario.
func Of(all []record.Record, scenario, target string) []record.Record {
	var found []record.Record
	for _, r := range all {
		if r.Scenario == scenario && r.Target == target {
			found = append(found, r)
		}
	}
	return found
}

// Pairs joins the runs of target and base round by round. A round that one of
// them lacks makes no pair.
func Pairs(all []record.Record, scenario, target, base string) []Pair {
	bases := map[int]record.Record{}
	for _, r := range Of(all, scenario, base) {
		bases[r.Round] = r
	}
	var pairs []Pair
	for _, r := range Of(all, scenario, target) {
		if b, ok := bases[r.Round]; ok {
			pairs = append(pairs, Pair{Target: r, Base: b})
		}
	}
	return pairs
}

// Quiet leaves out the pairs whose foreign load differs by more than
// [MaxForeignGap], and says how many those were.
func Quiet(pairs []Pair) (kept []Pair, dropped int) {
	for _, p := range pairs {
		if math.Abs(p.Target.ForeignCores-p.Base.ForeignCores) > MaxForeignGap {
			dropped++
			continue
		}
		kept = append(kept, p)
	}
	return kept, dropped
}

// Ratio is target ÷ base, taken per pair. A base of 0 makes no ratio.
func Ratio(pairs []Pair, f Figure) Spread {
	return spread(pairs, func(p Pair) float64 {
		base := f(p.Base)
		if base == 0 {
			return math.NaN()
		}
		return f(p.Target) / base
	})
}

// Added is target − base, taken per pair.
func Added(pairs []Pair, f Figure) Spread {
	return spread(pairs, func(p Pair) float64 { return f(p.Target) - f(p.Base) })
}

// Level is the figure itself, without a base.
func Level(runs []record.Record, f Figure) Spread {
	return spread(runs, f)
}

func spread[T any](from []T, f func(T) float64) Spread {
	values := make([]float64, 0, len(from))
	for _, t := range from {
		if v := f(t); !math.IsNaN(v) && !math.IsInf(v, 0) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return Spread{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	slices.Sort(values)
	middle := len(values) / 2
	median := values[middle]
	if len(values)%2 == 0 {
		median = (values[middle-1] + median) / 2
	}
	return Spread{Median: median, Low: values[0], High: values[len(values)-1], Kept: len(values)}
}
