package vllmsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// errAbort is the fault that ends an answer with finish_reason abort.
var errAbort = errors.New("the simulated answer was aborted")

const (
	markerStart = "[[sim"
	markerEnd   = "]]"

	thought      = "This thought is simulated."
	defaultAfter = 10
)

// script is a plan and whether a marker asked for its content.
type script struct {
	plan
	scripted bool // say, n, a tool or another word that stands for an answer
}

// parseMarkers reads all markers of a text. What no marker says is as in a
// plain answer.
func parseMarkers(text string) script {
	s := script{plan: plan{after: defaultAfter}}
	for {
		at := strings.Index(text, markerStart)
		if at < 0 {
			return s
		}
		rest, err := s.marker(text[at+len(markerStart):])
		if err != nil {
			return script{scripted: true, plan: plan{text: "The vLLM simulator does not understand this script: " + err.Error()}}
		}
		text = rest
	}
}

// marker reads one marker, whose start is gone already, and returns what
// follows it.
func (s *script) marker(text string) (rest string, err error) {
	text = strings.TrimLeft(text, " ")
	if after, ok := strings.CutPrefix(text, "tool "); ok {
		return s.tool(after)
	}
	body, rest, ok := strings.Cut(text, markerEnd)
	if !ok {
		return "", errors.New("a marker has no end " + markerEnd)
	}
	if say, ok := strings.CutPrefix(body, "say "); ok {
		s.text, s.scripted = say, true
		return rest, nil
	}
	for _, w := range strings.Fields(body) {
		name, value, _ := strings.Cut(w, "=")
		if err := s.word(name, value); err != nil {
			return "", err
		}
	}
	return rest, nil
}

func (s *script) tool(text string) (rest string, err error) {
	text = strings.TrimLeft(text, " ")
	end := strings.IndexAny(text, " {]")
	if end <= 0 {
		return "", errors.New("tool needs a name and may have arguments: [[sim tool NAME {JSON}]]")
	}
	c := call{name: text[:end], arguments: json.RawMessage("{}")}
	text = strings.TrimLeft(text[end:], " ")
	if strings.HasPrefix(text, "{") {
		d := json.NewDecoder(strings.NewReader(text))
		if err := d.Decode(&c.arguments); err != nil {
			return "", fmt.Errorf("the arguments of tool %s are not JSON: %w", c.name, err)
		}
		c.arguments = bytes.Clone(c.arguments)
		text = text[d.InputOffset():]
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " "), markerEnd)
	if !ok {
		return "", errors.New("a marker has no end " + markerEnd)
	}
	s.calls, s.scripted = append(s.calls, c), true
	return rest, nil
}

func (s *script) word(name, value string) (err error) {
	switch name {
	case "n":
		s.words, err = strconv.Atoi(value)
		s.scripted = true
		if s.words < 0 {
			return errors.New("n= is how many words")
		}
	case "forever":
		s.words, s.scripted = -1, true
	case "empty":
		s.scripted = true
	case "empty200":
		s.empty200, s.scripted = true, true
	case "think":
		s.think = thought
	case "first":
		s.first, err = time.ParseDuration(value)
	case "gap":
		s.gap, err = time.ParseDuration(value)
	case "status":
		s.status, err = strconv.Atoi(value)
		if err == nil && (s.status < 400 || s.status > 599) {
			return errors.New("status= is an error's status, 400 to 599")
		}
	case "die":
		s.fault = ErrEngineDead
	case "cut":
		s.fault = ErrConnectionCut
	case "abort":
		s.fault = errAbort
	case "after":
		s.after, err = strconv.Atoi(value)
	default:
		return fmt.Errorf("unknown word %q", name)
	}
	if err != nil {
		return fmt.Errorf("%s=%s: %w", name, value, err)
	}
	return nil
}

// An abort is an end, the other faults are errors.
func (p plan) faultToken() Token {
	if errors.Is(p.fault, errAbort) {
		return Token{Finish: FinishAbort}
	}
	return Token{}
}

func (p plan) faultError() error {
	if errors.Is(p.fault, errAbort) {
		return nil
	}
	return p.fault
}
