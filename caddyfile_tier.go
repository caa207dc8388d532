package llmgateway

import (
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/openova-io/llm-gateway/quota"
)

// parseTierLine reads one tier and remembers where it stands.
func (s *sections) parseTierLine(d *caddyfile.Dispenser) error {
	lines := d.NextSegment()
	d = caddyfile.NewDispenser(lines)
	d.Next() // tier
	name, err := name(d)
	if err != nil {
		return err
	}
	if err := s.remember("tier "+name, lines); err != nil {
		return err
	}
	t := Tier{Name: name}
	if err := t.parse(d); err != nil {
		return err
	}
	s.tiers = append(s.tiers, t)
	return endOfLine(d)
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
		return t.addLimit(Limit{Amount: quota.Unlimited, Unit: "requests", Per: "day"})
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
	if err := oneOf(text[3], "window", "day"); err != nil {
		return err
	}
	return t.addLimit(Limit{Amount: amount, Unit: text[1], Per: text[3]})
}

func (t *Tier) addLimit(limit Limit) error {
	for _, other := range t.Limits {
		if other.Unit == limit.Unit && other.Per == limit.Per {
			return wrongLine("%s per %s have a limit already", limit.Unit, limit.Per)
		}
	}
	t.Limits = append(t.Limits, limit)
	return nil
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
		return wrongLine("%s", strings.TrimPrefix(err.Error(), "reset "))
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
	if err != nil {
		return wrongLine("%q is neither the word unlimited nor a whole number from 1 on", shown(text))
	}
	t.InFlight = int(n)
	return nil
}

func (t *Tier) parseMaxDuration(d *caddyfile.Dispenser) error {
	text, err := word(d, "the duration")
	if err != nil {
		return err
	}
	duration, err := caddy.ParseDuration(text)
	if err != nil || duration < time.Second {
		return wrongLine("%q is no duration of a second or more", shown(text))
	}
	t.MaxDuration = caddy.Duration(duration)
	return nil
}

func (t *Tier) parseRoute(d *caddyfile.Dispenser) error {
	text, err := words(d, "a model")
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
