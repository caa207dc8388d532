package main

import (
	"context"
	"errors"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"llmgwbench/internal/compare"
	"llmgwbench/internal/parts"
	"llmgwbench/internal/proc"
	"llmgwbench/internal/record"
)

// harness is one measurement: its processes and what they have shown so far.
type harness struct {
	options
	began       time.Time
	parts       []parts.Part
	vars        map[string]string // of the templates
	modelServer *service
	services    map[string]*service
	live        []*target
	started     []*service
	file        record.File
}

func (h *harness) up(ctx context.Context, s *service) error {
	h.started = append(h.started, s)
	return s.start(ctx, h.vars["RUN"])
}

func (h *harness) stop() {
	for _, s := range slices.Backward(h.started) {
		s.stop()
	}
}

// start starts the mock, the services and the targets. A target that cannot
// start or fails its check is left out, with a line that says why.
func (h *harness) start(ctx context.Context, cfg *config) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	h.modelServer = &service{
		Name: "mock", Ready: "tcp:" + h.mock,
		Cmd: []string{filepath.Join(filepath.Dir(self), "mockllm"), "-addr", h.mock, "-jwks", h.vars["JWKS"]},
	}
	if err := h.up(ctx, h.modelServer); err != nil {
		return err
	}
	h.services = map[string]*service{}
	for i := range cfg.Services {
		s := &cfg.Services[i]
		if err := h.up(ctx, s); err != nil {
			log.Printf("SKIP service %s: %v", s.Name, err)
			continue
		}
		h.services[s.Name] = s
	}
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		if h.only != "" && !slices.Contains(strings.Split(h.only, ","), t.Name) {
			continue
		}
		if err := h.join(ctx, t); err != nil {
			log.Printf("SKIP %s: %v", t.Name, err)
			continue
		}
		h.live = append(h.live, t)
	}
	if len(h.live) == 0 {
		return errors.New("no target is up")
	}
	return nil
}

// join starts a target and waits until a request gets through it.
func (h *harness) join(ctx context.Context, t *target) error {
	for _, name := range t.Services {
		if h.services[name] == nil {
			return errors.New("needs the service " + name)
		}
	}
	if len(t.Cmd) > 0 {
		if h.profile != "" {
			if t.Env == nil {
				t.Env = map[string]string{}
			}
			t.Env["PROFILE"] = "1"
		}
		if err := h.up(ctx, &t.service); err != nil {
			return err
		}
	}
	err := h.check(ctx, t)
	for i := 0; err != nil && i < 5 && ctx.Err() == nil; i++ { // some need a moment after they listen
		time.Sleep(time.Second)
		err = h.check(ctx, t)
	}
	return err
}

// errTimeUp ends a measurement whose budget is spent; what was measured counts.
var errTimeUp = errors.New("time is up")

// rounds runs every scenario against every target, round after round, so that
// each figure is spread over the whole measurement. Scenarios in which others
// disturbed too many pairs get up to as many rounds again. Idle streams come
// last: the memory that they leave behind would count as that of the load.
func (h *harness) rounds(ctx context.Context, want *regexp.Regexp) error {
	h.file.Machine, h.file.Args = machine(), os.Args[1:]
	var loads, holds []scenario
	for _, sc := range scenarios(h.secs) {
		switch {
		case !want.MatchString(sc.name):
		case sc.hold:
			holds = append(holds, sc)
		default:
			loads = append(loads, sc)
		}
	}
	var reserve time.Duration
	for _, sc := range holds {
		for _, t := range h.live {
			if t.takes(sc.name) {
				reserve += holdRounds * holdTakes
			}
		}
	}
	err := h.repeat(ctx, loads, 2*h.options.rounds, h.began.Add(h.budget-reserve))
	if err == nil || errors.Is(err, errTimeUp) {
		err = h.repeat(ctx, holds, min(h.options.rounds, holdRounds), h.began.Add(h.budget))
	}
	if errors.Is(err, errTimeUp) {
		err = nil
	}
	return err
}

func (h *harness) repeat(ctx context.Context, list []scenario, rounds int, end time.Time) error {
	for r := 1; r <= rounds; r++ {
		for _, sc := range list {
			if r > h.options.rounds && !parts.Lacking(h.parts, h.file.Runs, sc.name, h.options.rounds) {
				continue
			}
			if err := h.round(ctx, sc, r, end); err != nil {
				return errors.Join(err, h.save())
			}
		}
		if err := h.save(); err != nil {
			return err
		}
	}
	return nil
}

// round runs one scenario against every target. Another target begins in every
// round: the first one meets a machine that has rested.
func (h *harness) round(ctx context.Context, sc scenario, round int, end time.Time) error {
	for i := range h.live {
		t := h.live[(i+round)%len(h.live)]
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			log.Printf("time is up in round %d of %s", round, sc.name)
			return errTimeUp
		}
		if t.takes(sc.name) {
			h.one(ctx, t, sc, round)
		}
	}
	return nil
}

// tries is how often a run is made that others disturbed: the quietest counts.
const tries = 2

func (h *harness) one(ctx context.Context, t *target, sc scenario, round int) {
	rec, err := h.measure(ctx, t, sc)
	for i := 1; i < tries && !sc.hold && err == nil && rec.ForeignCores > compare.MaxForeignGap && ctx.Err() == nil; i++ {
		again, e := h.measure(ctx, t, sc)
		if e == nil && again.ForeignCores < rec.ForeignCores {
			rec = again
		}
	}
	if err != nil {
		log.Printf("%s %s: %v", sc.name, t.Name, err)
		return
	}
	rec.Round = round
	h.file.Runs = append(h.file.Runs, *rec)
	log.Printf("%-10s r%d %-15s %8.0f rps  p50 %8.0f  p99 %8.0f us  cpu %7.1f us/req  peak %4d MB  err %d  foreign %.2f %s",
		sc.name, round, t.Name, rec.Result.RPS, rec.Result.Latency.P50, rec.Result.Latency.P99, rec.CPUPerRequest,
		rec.Peak>>20, rec.Result.Errors, rec.ForeignCores, rec.Result.FirstErr)
}

func (h *harness) save() error {
	if h.out == "" {
		return nil
	}
	return h.file.Write(h.out)
}

func machine() record.Machine {
	name, cores := proc.Machine()
	return record.Machine{CPU: name, Cores: cores}
}
