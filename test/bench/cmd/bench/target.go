package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"llmgwbench/internal/load"
)

// target is a gateway under test, or the mock itself.
type target struct {
	service
	Base      string   `json:"base"`
	Anthropic string   `json:"anthropic"` // path, empty if not spoken
	OpenAI    string   `json:"openai"`
	Auth      bool     `json:"auth"`      // send the users' tokens
	Services  []string `json:"services"`  // also charged, apart
	Only      string   `json:"scenarios"` // regexp of scenarios it takes part in
	Note      string   `json:"note"`
}

// takes reports whether the target takes part in the scenario.
func (t *target) takes(scenario string) bool {
	return t.Only == "" || regexp.MustCompile(t.Only).MatchString(scenario)
}

// spec is the load for one target and scenario, and the dialect it speaks.
func (h *harness) spec(t *target, sc scenario) (load.Spec, string, error) {
	path, dialect := t.Anthropic, "anthropic"
	if path == "" || h.openai && t.OpenAI != "" {
		path, dialect = t.OpenAI, "openai"
	}
	if path == "" {
		return load.Spec{}, "", errors.New("speaks neither dialect")
	}
	b := sc.body
	b.OpenAI, b.Model = dialect == "openai", h.model
	s := load.Spec{
		URL: t.Base + path, Headers: map[string]string{"anthropic-version": "2023-06-01"}, Body: b.Make(),
		Conns: sc.conns, Rate: sc.rate, Duration: time.Duration(sc.secs * float64(time.Second)), Warmup: warmup, Hold: sc.hold,
	}
	if t.Auth {
		tokens, err := os.ReadFile(h.vars["TOKENS"])
		if err != nil {
			return s, dialect, err
		}
		s.Tokens = strings.Fields(string(tokens))
	}
	return s, dialect, nil
}

// check sends one plain request and one stream, and says which model arrived.
func (h *harness) check(ctx context.Context, t *target) error {
	if err := h.once(t, load.BodySpec{Size: 1000, Answer: 64}, 0); err != nil {
		return err
	}
	stats, err := get(ctx, h.vars["MOCK"]+"/__stats")
	if err != nil {
		return err
	}
	log.Printf("%s: up, the mock saw %s", t.Name, stats)
	return h.once(t, load.BodySpec{Size: 1000, Stream: true, Events: 5}, 5)
}

// once sends one request and expects that many events.
func (h *harness) once(t *target, body load.BodySpec, events int64) error {
	s, _, err := h.spec(t, scenario{name: "check", body: body, conns: 1, secs: 5})
	if err != nil {
		return err
	}
	s.Max, s.Warmup = 1, 0
	r, err := load.Run(s)
	if err != nil {
		return err
	}
	if r.Errors > 0 || r.Events != events {
		return fmt.Errorf("check: %d events of %d, %s", r.Events, events, r.FirstErr)
	}
	return nil
}

const statsBytes = 64 << 10

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, statsBytes))
	return string(b), err
}
