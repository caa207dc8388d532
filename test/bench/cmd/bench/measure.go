package main

import (
	"context"
	"os"
	"time"

	"llmgwbench/internal/load"
	"llmgwbench/internal/proc"
	"llmgwbench/internal/record"
)

// calm waits until other processes use less than half a core, or gives up.
func calm(limit time.Duration) {
	const look = 300 * time.Millisecond
	for end := time.Now().Add(limit); time.Now().Before(end); {
		before := proc.Busy()
		time.Sleep(look)
		if (proc.Busy()-before)/look.Seconds() < 0.5 {
			return
		}
	}
}

// usage is the processor time of everybody who belongs to a run, in seconds.
type usage struct {
	machine, target, harness float64
	services                 map[string]float64
}

func (h *harness) usage(t *target) usage {
	u := usage{machine: proc.Busy(), target: proc.CPU(t.pids()), services: map[string]float64{}}
	u.harness = proc.CPU([]int{os.Getpid()}) + proc.CPU(h.modelServer.pids())
	for _, name := range t.Services {
		u.services[name] = proc.CPU(h.services[name].pids())
	}
	return u
}

// foreign is what others have used since before.
func (u usage) foreign(before usage) float64 {
	f := (u.machine - before.machine) - (u.target - before.target) - (u.harness - before.harness)
	for name, cpu := range u.services {
		f -= cpu - before.services[name]
	}
	return max(0, f)
}

// measure makes one run.
func (h *harness) measure(ctx context.Context, t *target, sc scenario) (*record.Record, error) {
	s, dialect, err := h.spec(t, sc)
	if err != nil {
		return nil, err
	}
	if sc.hold {
		if err := h.restart(ctx, t); err != nil {
			return nil, err
		}
	}
	calm(h.quiet)
	pids := t.pids()
	proc.ResetPeak(pids)
	rec := &record.Record{Target: t.Name, Scenario: sc.name, Protocol: dialect, When: time.Now().UTC()}
	rec.RSS, _ = proc.Memory(pids)
	held := rec.RSS
	if sc.hold {
		release := make(chan struct{})
		s.Release = release
		s.OnHeld = func() {
			time.Sleep(3 * time.Second)
			held, _ = proc.Memory(pids)
			close(release)
		}
	}
	profiled := h.capture(ctx, t, sc)
	began, before := time.Now(), h.usage(t)
	r, err := load.Run(s)
	if err != nil {
		return nil, err
	}
	after := h.usage(t)
	if err := <-profiled; err != nil {
		return nil, err
	}
	rec.Result, rec.CPU = r, after.target-before.target
	rec.ForeignCores = after.foreign(before) / time.Since(began).Seconds()
	_, rec.Peak = proc.Memory(pids)
	if sc.hold && r.Requests > 0 {
		rec.PerStream = (held - rec.RSS) / r.Requests
	}
	perAnswer(rec, before, after)
	return rec, nil
}

// perAnswer spreads the processor time over what was answered.
func perAnswer(rec *record.Record, before, after usage) {
	const micro = 1e6
	if total := float64(rec.Result.Total); total > 0 {
		rec.CPUPerRequest = rec.CPU * micro / total
		rec.ServiceCPU = map[string]float64{}
		for name, cpu := range after.services {
			rec.ServiceCPU[name] = (cpu - before.services[name]) * micro / total
		}
	}
	if events := float64(rec.Result.AllEvents); events > 0 {
		rec.CPUPerEvent = rec.CPU * micro / events
	}
}

// restart gives a target back the memory of a fresh process, with one request
// behind it: what earlier loads left in its heap would hide what streams hold.
func (h *harness) restart(ctx context.Context, t *target) error {
	if len(t.Cmd) == 0 {
		return nil
	}
	t.stop()
	if err := t.start(ctx, h.vars["RUN"]); err != nil {
		return err
	}
	return h.check(ctx, t)
}
