package embedded

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Control sets a control field as operators will, for the contract's checks.
func (s *Store) Control(_ context.Context, subject, field, value string) error {
	sh, r := s.lock(subject)
	defer sh.mu.Unlock()
	sh.records[subject] = r
	c := &r.control
	if field == "o" {
		c.overrides = make(map[string]limitOverride)
		words := strings.Fields(value)
		for ; len(words) >= 3; words = words[3:] {
			limit, _ := strconv.ParseInt(words[1], 10, 64)
			until, _ := strconv.ParseInt(words[2], 10, 64)
			c.overrides[words[0]] = limitOverride{limit: limit, until: until}
		}
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return err
	}
	switch {
	case field == "rv":
		c.revokedBefore = n
	case field == "pu":
		c.pausedUntil = n
	case strings.HasPrefix(field, "v:"):
		if c.sessions == nil {
			c.sessions = make(map[string]int64)
		}
		c.sessions[field[2:]] = n
	default:
		return fmt.Errorf("no control field %q", field)
	}
	return nil
}

// Subjects counts the records in memory.
func (s *Store) Subjects() int {
	n := 0
	for i := range s.shards {
		s.shards[i].mu.Lock()
		n += len(s.shards[i].records)
		s.shards[i].mu.Unlock()
	}
	return n
}

// DropDead is what the background does once a minute.
func (s *Store) DropDead() { s.dropDead() }

// Due reports whether the next reservation of the subject looks for ended
// leases.
func (s *Store) Due(subject string) bool {
	sh, r := s.lock(subject)
	defer sh.mu.Unlock()
	return r.due(s.now().UnixMilli())
}
