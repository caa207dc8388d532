//go:build attack

package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/auth"
)

// routedTo is where every name of the cases that a free user may ask for goes.
const routedTo = "qwen3-32b"

// bodies drives body-cases.json: against an upstream in Go on both versions of
// HTTP, and against upstreams in Python and Node.
func (w *world) bodies(t *testing.T) {
	for _, c := range readBoth[bodyCase](t, "body-cases.json", "more-body.json") {
		body, err := c.body()
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		run := w.attack
		if strings.HasPrefix(c.Expect, "200 ") {
			run = w.control
		}
		for _, path := range []string{messages, chat} {
			for _, where := range []struct{ site, proto string }{{"main", "h1"}, {"main", "h2"}, {"python", "h1"}, {"node", "h1"}} {
				if w.sites[where.site] == "" {
					continue // its language is missing, which is listed
				}
				run(t, c.ID, fmt.Sprintf("%s %s %s %s", c.Name, path, where.site, where.proto), func(t *testing.T) {
					w.body(t, c, request{site: where.site, proto: where.proto, path: path, body: body})
				})
			}
		}
	}
}

// expectation is what a body case allows.
type expectation struct {
	model   string // that the gateway read; "" where it must refuse
	refuse  []int
	removed string // member that may also be removed instead
}

var (
	accepted   = regexp.MustCompile(`^200 model=([\w.-]+)(, upstream body carries exactly one model key)?$`)
	statuses   = regexp.MustCompile(`^(\d{3})(?: or (\d{3}) unknown model; no request leaves, no placeholder expansion, no new metric label value| without reading the rest)?$`)
	fieldCase  = regexp.MustCompile(`^vLLM-bound: (\w+)$`)
	fieldRule  = "field refused (400) or removed by the per-tier field policy; never reaches vLLM for free/pro"
	plainModel = regexp.MustCompile(`^[\w.-]+$`)
)

func (c bodyCase) expectation(t *testing.T) expectation {
	t.Helper()
	if m := accepted.FindStringSubmatch(c.Expect); m != nil {
		return expectation{model: m[1]}
	}
	if m := statuses.FindStringSubmatch(c.Expect); m != nil {
		var e expectation
		for _, text := range m[1:] {
			if n, err := strconv.Atoi(text); err == nil {
				e.refuse = append(e.refuse, n)
			}
		}
		return e
	}
	if m := fieldCase.FindStringSubmatch(c.Name); m != nil && c.Expect == fieldRule {
		return expectation{refuse: []int{http.StatusBadRequest}, removed: m[1]}
	}
	t.Fatalf("unknown expectation %q of %q", c.Expect, c.Name)
	return expectation{}
}

// body drives one case on one site.
func (w *world) body(t *testing.T, c bodyCase, r request) {
	want := c.expectation(t)
	subject, token := w.person(t, "free")
	r.header = bearer(token)
	if c.Type != "" {
		r.header.Set("Content-Type", c.Type)
	}
	for name, value := range c.Headers {
		r.header.Set(name, value)
	}
	before, foreign := w.watch(t), w.foreignCalls(t, r.site)
	series := fmt.Sprintf(`gateway_model_routes_total{from=%q,to=%q}`, want.model, routedTo)
	counted := metric(w.metrics(t), series)
	got := w.send(t, r)
	w.clean(t, got)
	reached := w.foreignCalls(t, r.site)[len(foreign):]
	if want.model == "" && got.status != http.StatusOK {
		refused(t, r.path, got, want.refuse...)
		before.nothing(t)
		if len(reached) > 0 {
			t.Errorf("reached the upstream: %v", reached)
		}
		w.noLabel(t, r.body)
		return
	}
	if want.model == "" && want.removed == "" {
		t.Fatalf("status 200 %.300s, want %v (%s)", got.body, want.refuse, c.Why)
	}
	if got.status != http.StatusOK {
		t.Fatalf("status %d %s, want 200", got.status, got.body)
	}
	w.wantCharge(t, subject, 1)
	if w.charged(t, auth.SubjectOf(w.lab.Issuer, "f3b1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d")) != 0 {
		t.Error("somebody else was charged")
	}
	if r.site != "main" {
		if want := []foreignCall{{r.path, routedTo}}; !slices.Equal(reached, want) {
			t.Errorf("%s read %v, want %v", r.site, reached, want)
		}
		return
	}
	w.sawOnce(t, before, want)
	if before, after := number(counted), number(metric(w.metrics(t), series)); want.model != "" && after != before+1 {
		t.Errorf("%s went from %v to %v", series, before, after)
	}
}

// sawOnce checks that the Go upstream was called once and read the route's
// target, from the only member of that name.
func (w *world) sawOnce(t *testing.T, before *watch, want expectation) {
	t.Helper()
	calls := w.internal.calls()[before.calls["internal"]:]
	if len(calls) != 1 || calls[0].model != routedTo {
		t.Fatalf("%d calls %+v, want one for %s", len(calls), calls, routedTo)
	}
	if now := w.callCounts(); now["claude"] != before.calls["claude"] || now["openai"] != before.calls["openai"] {
		t.Error("another backend was called too")
	}
	if n := members(t, calls[0].body)["model"]; n != 1 {
		t.Errorf("the upstream's body has %d members model: %s", n, calls[0].body)
	}
	if n := members(t, calls[0].body)[want.removed]; want.removed != "" && n != 0 {
		t.Errorf("%s reached the upstream", want.removed)
	}
}

// foreignCalls returns what the site's upstream in another language has seen.
func (w *world) foreignCalls(t *testing.T, site string) []foreignCall {
	t.Helper()
	switch site {
	case "python":
		return w.python.calls(t)
	case "node":
		return w.node.calls(t)
	default:
		return nil
	}
}

// noLabel fails the test if the model of a refused body became part of the
// metrics page.
func (w *world) noLabel(t *testing.T, body []byte) {
	t.Helper()
	var read struct{ Model string }
	if json.Unmarshal(body, &read) != nil || read.Model == "" || plainModel.MatchString(read.Model) {
		return
	}
	if strings.Contains(w.metrics(t), read.Model) {
		t.Errorf("%q stands in the metrics", read.Model)
	}
}

// members counts the names of an object's own members, duplicates included.
func members(t *testing.T, object []byte) map[string]int {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]int)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			t.Fatal(err)
		}
		names[fmt.Sprint(name)]++
	}
	return names
}

func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64) // no series yet counts as 0
	return n
}
