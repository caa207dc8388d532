package llmgateway

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/routing"
)

// parseTierLine reads one tier and remembers where it stands.
func (s *sections) parseTierLine(d *caddyfile.Dispenser) error {
	at := d.Token()
	name, err := word(d, "the name")
	if err != nil {
		return err
	}
	owner := "tier " + name
	if _, twice := s.places[owner]; twice {
		return wrongLine("%s stands twice", name)
	}
	s.places[owner] = at
	t := Tier{Name: name}
	if err := t.parse(d); err != nil {
		return err
	}
	s.tiers = append(s.tiers, t)
	return nil
}

// parse reads the block of a tier. Syntax:
//
//	tier <name> {
//	    limit        <count> requests per day | unlimited   # several
//	    reset        <HH:MM> [<zone>]
//	    in_flight    <count>|unlimited
//	    max_tokens   <count>
//	    max_duration <duration>
//	    allow        <backend>|<backend>/<glob>...          # adds up
//	    route        <glob...> to <model>                   # several
//	    default      <model> [external]
//	}
func (t *Tier) parse(d *caddyfile.Dispenser) error {
	b := block{owner: "tier " + t.Name, options: []option{
		{word: "limit", example: "limit 10 requests per day", repeats: true, parse: t.parseLimit},
		{word: "reset", example: "reset 00:00 Europe/Berlin", parse: t.parseReset},
		{word: "in_flight", example: "in_flight 4", parse: t.parseInFlight},
		{word: "max_tokens", example: "max_tokens 16000", parse: func(d *caddyfile.Dispenser) (err error) {
			t.MaxTokens, err = count(d, "the number of tokens", 1)
			return err
		}},
		{word: "max_duration", example: "max_duration 30m", parse: t.parseMaxDuration},
		{word: "allow", example: "allow internal claude/*haiku*", repeats: true, parse: func(d *caddyfile.Dispenser) error {
			allowed, err := words(d, "a backend")
			t.Allow = append(t.Allow, allowed...)
			return err
		}},
		{word: "route", example: "route *opus* *sonnet* to claude-haiku-4-5", repeats: true, parse: t.parseRoute},
		{word: "default", example: "default qwen3-32b", parse: t.parseDefault},
	}}
	return b.parse(d)
}

func (t *Tier) parseLimit(d *caddyfile.Dispenser) error {
	text, err := words(d, "the limit")
	if err != nil {
		return err
	}
	if len(text) == 1 && text[0] == "unlimited" {
		t.Limits = append(t.Limits, Limit{Amount: quota.Unlimited, Unit: "requests", Per: "day"})
		return nil
	}
	if len(text) != 4 || text[2] != "per" {
		return wrongLine("write it as <count> <unit> per <window>, or unlimited")
	}
	amount, err := number(text[0], 0)
	if err != nil {
		return err
	}
	if err := oneOf(text[1], "unit", "requests"); err != nil {
		return err
	}
	t.Limits = append(t.Limits, Limit{Amount: amount, Unit: text[1], Per: text[3]})
	return oneOf(text[3], "window", "day")
}

func (t *Tier) parseReset(d *caddyfile.Dispenser) error {
	at, err := word(d, "the time")
	if err != nil {
		return err
	}
	t.Reset = &Reset{At: at}
	if d.NextArg() {
		t.Reset.Zone = d.Val()
	}
	if _, _, err := parseReset(t.Reset); err != nil {
		return wrongLine("%v", err)
	}
	return nil
}

func (t *Tier) parseInFlight(d *caddyfile.Dispenser) error {
	text, err := word(d, "the number")
	if err != nil {
		return err
	}
	if text == "unlimited" {
		t.InFlight = int(quota.Unlimited)
		return nil
	}
	n, err := number(text, 1)
	t.InFlight = int(n)
	return err
}

func (t *Tier) parseMaxDuration(d *caddyfile.Dispenser) error {
	text, err := word(d, "the duration")
	if err != nil {
		return err
	}
	duration, err := caddy.ParseDuration(text)
	if err != nil || duration < time.Second {
		return wrongLine("%q is no duration of a second or more", text)
	}
	t.MaxDuration = caddy.Duration(duration)
	return nil
}

func (t *Tier) parseRoute(d *caddyfile.Dispenser) error {
	text, err := words(d, "the models")
	if err != nil {
		return err
	}
	to := slices.Index(text, "to")
	if to < 1 || to != len(text)-2 {
		return wrongLine("write it as <globs> to <model>")
	}
	t.Routes = append(t.Routes, RouteRule{Match: text[:to], To: text[to+1]})
	return nil
}

func (t *Tier) parseDefault(d *caddyfile.Dispenser) error {
	model, err := word(d, "the model")
	if err != nil {
		return err
	}
	t.Default = model
	if !d.NextArg() {
		return nil
	}
	t.DefaultExternal = true
	return oneOf(d.Val(), "word", "external")
}

// checkTiers says at the line of a tier or backend what only shows when all
// lines are known: walls, routes and globs that do not fit together.
func (s *sections) checkTiers(takes []string) error {
	if _, _, err := compileTiers(s.tiers); err != nil {
		return s.place(err.Error())("%v", err)
	}
	if !slices.Contains(takes, "backend") || len(s.backends) == 0 {
		return nil
	}
	var known []routing.Backend
	for i := range s.backends {
		known = append(known, s.backends[i].routing())
	}
	var tiers []routing.Tier
	for i := range s.tiers {
		tiers = append(tiers, s.tiers[i].routing(false))
	}
	if len(tiers) == 0 {
		tiers, _ = routing.DefaultTiers(known)
	}
	_, problems, _ := routing.NewTable(known, tiers)
	if len(problems) == 0 {
		return nil
	}
	var wrong *routing.LoadError
	if errors.As(problems[0], &wrong) {
		return s.place(wrong.Where)("%v", wrong)
	}
	return problems[0]
}

// place returns what makes an error at the line of the tier or backend that
// text begins with.
func (s *sections) place(text string) func(string, ...any) error {
	for owner, at := range s.places {
		if text == owner || strings.HasPrefix(text, owner+":") {
			return func(format string, args ...any) error { return errorAt(at, format, args...) }
		}
	}
	return func(format string, args ...any) error {
		return errorAt(caddyfile.Token{File: "Caddyfile"}, format, args...)
	}
}
