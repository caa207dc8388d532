//go:build attack

package attack

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// score counts what was driven. An attack got through when its test failed,
// whatever it was that failed.
type score struct {
	attacks, through int
	controls, passed int
	driven           map[string]bool   // cases of the files, by id
	notRun           map[string]string // reason by id
}

func newScore() *score {
	return &score{driven: make(map[string]bool), notRun: make(map[string]string)}
}

// attack runs one attempt that must not succeed.
func (s *score) attack(t *testing.T, id, how string, f func(t *testing.T)) {
	t.Helper()
	s.attacks++
	if !s.run(t, id, how, f) {
		s.through++
	}
}

// control runs one attempt that must succeed: a gateway that refuses
// everything passes nothing.
func (s *score) control(t *testing.T, id, how string, f func(t *testing.T)) {
	t.Helper()
	s.controls++
	if s.run(t, id, how, f) {
		s.passed++
	}
}

func (s *score) run(t *testing.T, id, how string, f func(t *testing.T)) bool {
	t.Helper()
	s.driven[id] = true
	return t.Run(id+" "+how, f)
}

// skip notes a case that cannot be driven, and why.
func (s *score) skip(id, why string) { s.notRun[id] = why }

// close fails the test for every case that nobody drove or listed, and prints
// the result.
func (s *score) close(t *testing.T, ids []string) {
	t.Helper()
	for _, id := range ids {
		if why, listed := s.notRun[id]; listed {
			t.Logf("NOT RUN %s: %s", id, why)
		} else if !s.driven[id] {
			t.Errorf("case %s was neither driven nor listed as not run", id)
		}
	}
	line := fmt.Sprintf("attack: %d of %d got through; %d of %d controls passed", s.through, s.attacks, s.passed, s.controls)
	if len(s.notRun) > 0 {
		var not []string
		for id := range s.notRun {
			not = append(not, id)
		}
		slices.Sort(not)
		line += fmt.Sprintf("; %d not run: %s", len(not), strings.Join(not, " "))
	}
	t.Log(line)
}
