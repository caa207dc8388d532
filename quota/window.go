package quota

import (
	"time"
	// Container images have no zone files, and a limit without its zone would
	// reset at the wrong hour.
	_ "time/tzdata"
)

// Bounds is one window of a limit: From is in it, To is the first instant of
// the next.
type Bounds struct {
	From, To time.Time
}

// contains reports whether t lies in the window.
func (b Bounds) contains(t time.Time) bool {
	return !t.Before(b.From) && t.Before(b.To)
}

// BoundsAt returns the window that t lies in. Windows of one limit follow each
// other without hole or overlap and are never empty.
//
// A window begins at the first instant at which the zone's wall clock shows the
// reset time or has passed it: a time that clocks skip begins a window when the
// gap ends, a time that they show twice begins it the first time, and a date
// that a zone left out (Apia, 30 December 2011) has no window.
func (l *Limit) BoundsAt(t time.Time) Bounds {
	zone := l.Zone
	if zone == nil {
		zone = time.UTC
	}
	local := t.In(zone)

	// The wall clock may be a day away from the bucket's own date: before the
	// reset, around a change of the zone, after a missing date.
	var b Bounds
	for step := -2; step <= 2; step++ {
		start := firstAt(zone, l.begin(local, step))
		if start.After(t) {
			b.To = start
			return b
		}
		b.From = start
	}
	return b
}

// begin returns the reading of the wall clock, as if it were UTC, at which the
// window begins that lies step windows after the one that local's date is in.
func (l *Limit) begin(local time.Time, step int) time.Time {
	year, month, day := local.Date()
	anchor := max(l.Anchor, 1)
	switch l.Period {
	case Week:
		sinceMonday := (int(local.Weekday()) + 6) % 7
		day += 7*step - (sinceMonday-(anchor-1)+7)%7
	case Month:
		month += time.Month(step)
		day = min(anchor, daysIn(year, month))
	case Day:
		day += step
	}
	return time.Date(year, month, day, l.Reset.Hour, l.Reset.Minute, 0, 0, time.UTC)
}

// daysIn returns the length of a month; months past December are of later years.
func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// firstAt returns the first instant at which the zone's wall clock shows the
// reading or has passed it. time.Date promises nothing for readings that are
// skipped or shown twice, so the zone's changes are walked instead.
func firstAt(zone *time.Location, reading time.Time) time.Time {
	const farthestEast = 26 * time.Hour // beyond any offset, and any change of one
	at := reading.Add(-farthestEast).In(zone)
	for {
		_, offset := at.Zone()
		candidate := reading.Add(-time.Duration(offset) * time.Second)
		if candidate.Before(at) {
			return at // the change jumped over the reading
		}
		end := offsetEnd(at)
		if end.IsZero() || candidate.Before(end) {
			return candidate.In(zone)
		}
		at = end
	}
}

// offsetEnd returns when the offset in force at t may change, zero for never.
func offsetEnd(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// For zones that go on by rule, Go ends the last stretch of a year
		// after 365 days. On the 366th it would end before it begins.
		end = t.Add(24 * time.Hour)
	}
	return end
}
