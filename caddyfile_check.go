package llmgateway

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/openova-io/llm-gateway/routing"
)

// remember keeps the lines of a tier or backend, for errors that only show when
// all lines are known.
func (s *sections) remember(owner string, lines caddyfile.Segment) error {
	if _, twice := s.places[owner]; twice {
		_, name, _ := strings.Cut(owner, " ")
		return wrongLine("%s stands twice", name)
	}
	s.places[owner] = lines
	return nil
}

// check says at its line what does not fit together: sizes, limits, walls,
// routes and globs. Provision checks the same for JSON, which has no lines.
func (s *sections) check(start caddyfile.Token, takes []string) error {
	maxBody := cmp.Or(s.maxBody, defaultMaxBody)
	if budget := cmp.Or(s.bodyBudget, max(defaultBodyBudget, maxBody)); budget < maxBody {
		return errorAt(s.at("body_budget", "", start), "body_budget %d is less than max_body %d, so the largest body could never be read; for example: body_budget 256MiB", budget, maxBody)
	}
	if _, _, err := compileTiers(s.tiers); err != nil {
		return errorAt(s.at(err.Error(), "", start), "%v", err)
	}
	if !slices.Contains(takes, "backend") || len(s.backends) == 0 {
		return nil
	}
	return s.checkRoutes(start)
}

// checkRoutes compiles the tier table once and throws it away.
func (s *sections) checkRoutes(start caddyfile.Token) error {
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
		start = s.at(wrong.Where, wrong.Word, start)
	}
	return errorAt(start, "%v", problems[0])
}

// at returns the token that a problem is about: the word in the lines of the
// tier or backend that where begins with, else the first of these lines, else
// start.
func (s *sections) at(where, word string, start caddyfile.Token) caddyfile.Token {
	owner, _, _ := strings.Cut(where, ":")
	lines := s.places[owner]
	for _, token := range lines {
		if word != "" && (token.Text == word || strings.HasPrefix(token.Text, word+"/") || strings.HasSuffix(token.Text, "/"+word)) {
			return token
		}
	}
	if len(lines) == 0 {
		return start
	}
	return lines[0]
}
