package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"llmgwbench/internal/token"
)

// config is targets.json.
type config struct {
	Services []service `json:"services"`
	Targets  []target  `json:"targets"`
}

var variable = regexp.MustCompile(`\$\{[A-Z]+\}`)

// expand replaces the ${NAME}s that it knows and leaves the others.
func (h *harness) expand(s string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := h.vars[m[2:len(m)-1]]; ok {
			return v
		}
		return m
	})
}

// setup makes keys and tokens, expands the templates and reads the targets.
func (h *harness) setup() (*config, error) {
	if err := h.scratch(); err != nil {
		return nil, err
	}
	if err := h.credentials(); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(h.conf + "/*")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(h.vars["RUN"]+"/conf/"+filepath.Base(f), []byte(h.expand(string(b))), 0o600); err != nil {
			return nil, err
		}
	}
	b, err := os.ReadFile(h.targets)
	if err != nil {
		return nil, err
	}
	var cfg config
	if err := json.Unmarshal([]byte(h.expand(string(b))), &cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", h.targets, err)
	}
	return &cfg, nil
}

// scratch makes the run's folder and the variables of the templates.
func (h *harness) scratch() error {
	if h.run == "" {
		d, err := os.MkdirTemp("", "llmgwbench")
		if err != nil {
			return err
		}
		h.run = d
	}
	run, err := filepath.Abs(h.run)
	if err != nil {
		return err
	}
	h.vars = map[string]string{
		"BIN": h.bin, "RUN": run, "MOCK": "http://" + h.mock, "MOCKADDR": h.mock,
		"ISSUER": "http://" + h.mock + "/realms/llm", "TOKENS": run + "/tokens", "JWKS": run + "/jwks.json",
	}
	return os.MkdirAll(run+"/conf", 0o700)
}

// credentials writes the issuer's public keys and one token per user.
func (h *harness) credentials() error {
	issuer, err := token.New(h.vars["ISSUER"])
	if err != nil {
		return err
	}
	var tokens strings.Builder
	for i := range h.users {
		t, err := issuer.Token(h.alg, fmt.Sprintf("user-%04d", i), h.tier)
		if err != nil {
			return err
		}
		tokens.WriteString(t + "\n")
	}
	if err := os.WriteFile(h.vars["JWKS"], issuer.JWKS(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(h.vars["TOKENS"], []byte(tokens.String()), 0o600)
}
