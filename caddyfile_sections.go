package llmgateway

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// sections are the lines of one llm_gateway block, by their first word.
type sections struct {
	given map[string]bool
	// places are the lines of tiers, backends and other words, for errors that
	// are only seen when all lines are known.
	places map[string]caddyfile.Segment

	auth          []json.RawMessage
	quota         json.RawMessage
	tiers         []Tier
	backends      []Backend
	publicURL     string
	maxBody       int64
	bodyBudget    int64
	metrics       *MetricsConfig
	unsafeLog     bool
	onboardingOff bool
}

func newSections() *sections {
	return &sections{given: make(map[string]bool), places: make(map[string]caddyfile.Segment)}
}

// parse reads a block that takes the given words.
func (s *sections) parse(d *caddyfile.Dispenser, owner string, takes []string) error {
	b := block{owner: owner, other: func(d *caddyfile.Dispenser) error { return s.parseForeign(d, owner, takes) }}
	for _, o := range s.options() {
		if slices.Contains(takes, o.word) {
			parse := o.parse
			word := o.word
			o.parse = func(d *caddyfile.Dispenser) error {
				s.given[word] = true
				s.places[word] = caddyfile.Segment{d.Token()}
				return parse(d)
			}
			b.options = append(b.options, o)
		}
	}
	if d.NextArg() {
		return d.Errf("%s takes no word %q, only a matcher and a block", owner, shown(d.Val()))
	}
	return b.parse(d)
}

// parseForeign refuses a word that the block does not take, and says so where it
// is a word of another directive.
func (s *sections) parseForeign(d *caddyfile.Dispenser, owner string, takes []string) error {
	var known []option
	for _, o := range s.options() {
		if o.word == d.Val() {
			return d.Errf("%s: %s has no place here, but in llm_gateway (known: %s)", owner, o.word, strings.Join(takes, ", "))
		}
		if slices.Contains(takes, o.word) {
			known = append(known, o)
		}
	}
	return unknownOption(d, owner, known)
}

// options are the words of all three directives.
func (s *sections) options() []option {
	return []option{
		{word: "auth", example: "auth keycloak {env.KEYCLOAK_URL}", repeats: true, parse: s.parseAuth},
		{word: "quota", example: "quota redis {env.QUOTA_REDIS_URL}", parse: s.parseQuota},
		{word: "tier", example: "tier free { … }", repeats: true, parse: s.parseTierLine},
		{word: "backend", example: "backend internal vllm {env.INTERNAL_LLM_URL}", repeats: true, parse: s.parseBackendLine},
		{word: "public_url", example: "public_url https://llm.example.com", parse: s.parsePublicURL},
		{word: "max_body", example: "max_body 32MiB", parse: func(d *caddyfile.Dispenser) error { return parseSize(d, &s.maxBody) }},
		{word: "body_budget", example: "body_budget 256MiB", parse: func(d *caddyfile.Dispenser) error { return parseSize(d, &s.bodyBudget) }},
		{word: "metrics", example: "metrics { … }", parse: s.parseMetrics},
		{word: "unsafe_log", example: "unsafe_log", parse: func(*caddyfile.Dispenser) error { s.unsafeLog = true; return nil }},
		{word: "onboarding", example: "onboarding off", parse: s.parseOnboarding},
	}
}

// example returns a line of the word as one would write it.
func (s *sections) example(word string) string {
	for _, o := range s.options() {
		if o.word == word {
			return o.example
		}
	}
	return word
}

func (s *sections) empty(word string) bool { return !s.given[word] }

// inherit takes over every section of the global option that the site left out,
// whole: a line of the site replaces all lines of its word.
func (s *sections) inherit(global *sections) {
	if global == nil {
		return
	}
	for word := range global.given {
		if !s.given[word] {
			s.take(word, global)
			s.given[word] = true
		}
	}
	inherited := maps.Clone(global.places)
	maps.Copy(inherited, s.places)
	s.places = inherited
}

func (s *sections) take(word string, from *sections) {
	switch word {
	case "auth":
		s.auth = from.auth
	case "quota":
		s.quota = from.quota
	case "tier":
		s.tiers = from.tiers
	case "backend":
		s.backends = from.backends
	case "public_url":
		s.publicURL = from.publicURL
	case "max_body":
		s.maxBody = from.maxBody
	case "body_budget":
		s.bodyBudget = from.bodyBudget
	case "metrics":
		s.metrics = from.metrics
	case "unsafe_log":
		s.unsafeLog = from.unsafeLog
	case "onboarding":
		s.onboardingOff = from.onboardingOff
	}
}

// parseAuth reads: auth <verifier> [<args...>] { … }
func (s *sections) parseAuth(d *caddyfile.Dispenser) error {
	raw, err := parseGuest(d, "llm_gateway.auth", "verifier")
	s.auth = append(s.auth, raw)
	return err
}

// parseQuota reads: quota <store> [<args...>] { … }
func (s *sections) parseQuota(d *caddyfile.Dispenser) error {
	raw, err := parseGuest(d, "llm_gateway.quota", "store")
	s.quota = raw
	return err
}

// parseGuest reads the name of a module and lets it read the rest.
func parseGuest(d *caddyfile.Dispenser, namespace, key string) (json.RawMessage, error) {
	name, err := word(d, "the "+key)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, m := range caddy.GetModules(namespace) {
		known = append(known, m.ID.Name())
	}
	if err := oneOf(name, key, known...); err != nil {
		return nil, err
	}
	guest, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(guest, key, name, nil), nil
}

func (s *sections) parsePublicURL(d *caddyfile.Dispenser) error {
	text, err := word(d, "the URL")
	if err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return wrongLine("that is no URL that people could open; write scheme, host and nothing secret")
	}
	s.publicURL = strings.TrimRight(text, "/")
	return nil
}

// parseSize reads a size such as 32MiB into v.
func parseSize(d *caddyfile.Dispenser, v *int64) error {
	text, err := word(d, "the size")
	if err != nil {
		return err
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 || size > 1<<40 {
		return wrongLine("%q is no size", shown(text))
	}
	*v = int64(size)
	return nil
}

// parseMetrics reads:
//
//	metrics {
//	    user_series <count>
//	    user_label  sub|username|hash
//	}
func (s *sections) parseMetrics(d *caddyfile.Dispenser) error {
	m := new(MetricsConfig)
	s.metrics = m
	b := block{owner: "metrics", options: []option{
		{word: "user_series", example: "user_series 1000", parse: func(d *caddyfile.Dispenser) error {
			n, err := count(d, "the number of people", 0)
			series := int(n)
			m.UserSeries = &series
			return err
		}},
		{word: "user_label", example: "user_label sub", parse: func(d *caddyfile.Dispenser) error {
			label, err := word(d, "the label")
			if err != nil {
				return err
			}
			m.UserLabel = label
			return oneOf(label, "label", "sub", "username", "hash")
		}},
	}}
	return b.parse(d)
}

func (s *sections) parseOnboarding(d *caddyfile.Dispenser) error {
	value, err := word(d, "off")
	if err != nil {
		return err
	}
	s.onboardingOff = true
	return oneOf(value, "value", "off")
}

// count reads the next word as a whole number of at least least.
func count(d *caddyfile.Dispenser, what string, least int64) (int64, error) {
	text, err := word(d, what)
	if err != nil {
		return 0, err
	}
	return number(text, least)
}

// maxNumber is the largest number that the file may have: what the stores count
// exactly, rounded down to a word that people can read.
const maxNumber = 1_000_000_000_000

func number(text string, least int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > maxNumber {
		return 0, wrongLine("%q is no whole number from %d to %d", shown(text), least, maxNumber)
	}
	return n, nil
}
