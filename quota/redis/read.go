package redis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openova-io/llm-gateway/quota"
)

// Read returns the subject's record as it would stand after a reservation now:
// leases that have run out are taken off, though nobody has swept them yet.
func (s *Store) Read(ctx context.Context, subject string) (quota.Record, error) {
	call := []any{2, s.recordKey(subject), s.ledgerKey(subject), ledgerLines}
	replies, err := s.scripts(ctx, &readScript, [][]any{call})
	if err != nil {
		return quota.Record{}, failed("read", err)
	}
	now, hash, ledger, err := parseRead(replies[0])
	if err != nil {
		return quota.Record{}, fmt.Errorf("read: %w", err)
	}
	rec, err := readRecord(hash, now)
	if err != nil {
		return rec, fmt.Errorf("read: %w", err)
	}
	rec.Ledger = ledger
	return rec, nil
}

// counter is a stored window: see scripts/reserve.lua.
type counter struct{ used, start, end, reserved, credit int64 }

// share is what one reservation holds of one window.
type share struct {
	window                string
	amount, floor, change int64
}

// readRecord adds a stored hash up.
func readRecord(hash map[string]string, now int64) (quota.Record, error) {
	rec := quota.Record{Now: now, Windows: make(map[string]quota.RecordWindow)}
	counters := make(map[string]*counter)
	var held, ended []string
	for field, value := range hash {
		switch {
		case strings.HasPrefix(field, "w:"):
			f := fields{rest: value}
			c := &counter{used: f.number(), start: f.number(), end: f.number()}
			_ = f.number()
			c.credit = f.number()
			if f.bad {
				return rec, fmt.Errorf("%w: %s", errDamaged, field)
			}
			counters[field[2:]] = c
		case strings.HasPrefix(field, "r:") && strings.HasPrefix(value, "A "):
			f := fields{rest: value[2:]}
			if f.number() > now {
				held = append(held, f.rest)
			} else {
				ended = append(ended, field+" "+f.rest)
			}
		}
	}
	slices.SortFunc(ended, cmp.Compare[string])
	if err := addUp(counters, held, ended); err != nil {
		return rec, err
	}
	rec.InFlight = int64(len(held))
	for name, c := range counters {
		w := quota.RecordWindow{Used: c.used, Reserved: c.reserved, Start: c.start, End: c.end}
		if c.start == 0 { // a rate: the stored number is a time
			w.Used = 0
		}
		rec.Windows[name] = w
	}
	return rec, nil
}

// addUp takes ended leases off the counters and sums what is still held.
func addUp(counters map[string]*counter, held, ended []string) error {
	for _, r := range ended {
		_, rest, _ := strings.Cut(r, " ") // the field's name stands in front, to sort by
		if err := eachShare(counters, rest, (*counter).endLease); err != nil {
			return err
		}
	}
	for _, r := range held {
		if err := eachShare(counters, r, (*counter).hold); err != nil {
			return err
		}
	}
	return nil
}

func (c *counter) hold(s share) { c.reserved += s.amount }

// endLease mirrors the sweep of reserve.lua.
func (c *counter) endLease(s share) {
	issued := max(0, s.change)
	if s.amount == s.floor || c.credit < issued {
		return
	}
	c.used = max(0, c.used-s.amount+s.floor)
	c.credit -= issued
}

// eachShare calls f for each window that the reservation "reservedAt (window
// amount floor change)..." was charged to, if its bucket still runs.
func eachShare(counters map[string]*counter, record string, f func(*counter, share)) error {
	in := fields{rest: record}
	at := in.number()
	for in.rest != "" {
		s := share{window: in.word(), amount: in.number(), floor: in.number(), change: in.number()}
		if c := counters[s.window]; c != nil && c.start != 0 && c.start <= at {
			f(c, s)
		}
	}
	if in.bad {
		return fmt.Errorf("%w: a reservation cannot be read", errDamaged)
	}
	return nil
}
