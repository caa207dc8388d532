// Package parts names what this benchmark shows: each row of a part compares
// one target with another in one scenario, and may have a goal. It decides
// nothing about rounds; that is package compare.
package parts

import (
	"fmt"
	"io"
	"math"
	"strings"

	"llmgwbench/internal/compare"
	"llmgwbench/internal/record"
)

type how int

const (
	ratio how = iota
	added
	level
)

// Row is one figure of a part.
type Row struct {
	Name     string
	Scenario string
	Target   string
	Base     string // empty for a level
	figure   compare.Figure
	how      how
	memory   bool // resident memory: what others do to the processor does not matter
	digits   int
	goal     float64 // 0: for information
	atLeast  bool    // the goal is a lower bound
}

// Part is the rows that one summary line prints.
type Part struct {
	Name string
	Rows []Row
}

// Spread computes the row.
func (r Row) Spread(all []record.Record) compare.Spread {
	if r.how == level {
		return compare.Level(compare.Of(all, r.Scenario, r.Target), r.figure)
	}
	pairs, dropped := compare.Pairs(all, r.Scenario, r.Target, r.Base), 0
	if !r.memory {
		pairs, dropped = compare.Quiet(pairs)
	}
	s := compare.Ratio(pairs, r.figure)
	if r.how == added {
		s = compare.Added(pairs, r.figure)
	}
	s.Dropped = dropped
	return s
}

func (r Row) format(v float64) string {
	if math.IsNaN(v) {
		return "n/a"
	}
	return fmt.Sprintf("%.*f", r.digits, v)
}

// verdict says whether the goal was met: empty without a goal.
func (r Row) verdict(v float64) string {
	switch {
	case r.goal == 0:
		return ""
	case math.IsNaN(v):
		return "not measured"
	case r.atLeast && v >= r.goal, !r.atLeast && v <= r.goal:
		return "met"
	}
	return "short by " + r.format(math.Abs(v-r.goal))
}

func (r Row) goalText() string {
	switch {
	case r.goal == 0:
		return ""
	case r.atLeast:
		return "≥ " + r.format(r.goal)
	}
	return "≤ " + r.format(r.goal)
}

// against says what the figure is measured against.
func (r Row) against() string {
	switch r.how {
	case ratio:
		return r.Target + " ÷ " + r.Base
	case added:
		return r.Target + " − " + r.Base
	}
	return r.Target
}

// Table prints all rows with their range, rounds and goal.
func (p Part) Table(w io.Writer, all []record.Record) {
	fmt.Fprintf(w, "\n### %s\n\n| figure | what | scenario | median | range | rounds | dropped | goal | |\n|---|---|---|---|---|---|---|---|---|\n", p.Name)
	for _, r := range p.Rows {
		s := r.Spread(all)
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s … %s | %d | %d | %s | %s |\n", r.Name, r.against(), r.Scenario,
			r.format(s.Median), r.format(s.Low), r.format(s.High), s.Kept, s.Dropped, r.goalText(), r.verdict(s.Median))
	}
}

// Line is the part's summary: "bench <part>: name=value …".
func (p Part) Line(all []record.Record) string {
	var b strings.Builder
	b.WriteString("bench " + p.Name + ":")
	for _, r := range p.Rows {
		b.WriteString(" " + r.Name + "=" + r.format(r.Spread(all).Median))
	}
	return b.String()
}

// Lacking reports whether a pair of the scenario has fewer than want rounds
// that count, among the targets that were measured at all.
func Lacking(list []Part, all []record.Record, scenario string, want int) bool {
	for _, p := range list {
		for _, r := range p.Rows {
			if r.Scenario != scenario || r.memory || r.how == level {
				continue
			}
			if s := r.Spread(all); s.Dropped > 0 && s.Kept < want {
				return true
			}
		}
	}
	return false
}
