package quota

import (
	"os"
	"strings"
	"testing"
	"time"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatalf("LoadLocation(%q): %v", name, err)
	}
	return loc
}

func TestBoundsAt(t *testing.T) {
	const layout = "2006-01-02T15:04:05Z07:00"
	for _, tc := range []struct {
		name     string
		zone     string
		period   Period
		anchor   int
		reset    TimeOfDay
		at       string
		from, to string
	}{
		{name: "a plain day", zone: "UTC", period: Day, at: "2026-11-23T18:48:00Z", from: "2026-11-23T00:00:00Z", to: "2026-11-24T00:00:00Z"},
		{name: "the first instant is in", zone: "UTC", period: Day, at: "2026-11-23T00:00:00Z", from: "2026-11-23T00:00:00Z", to: "2026-11-24T00:00:00Z"},
		{name: "before the reset: yesterday's", zone: "UTC", period: Day, reset: TimeOfDay{6, 30}, at: "2026-11-23T06:29:59Z", from: "2026-11-22T06:30:00Z", to: "2026-11-23T06:30:00Z"},
		{name: "23 hours", zone: "Europe/Berlin", period: Day, at: "2026-03-29T12:00:00+02:00", from: "2026-03-29T00:00:00+01:00", to: "2026-03-30T00:00:00+02:00"},
		{name: "25 hours", zone: "Europe/Berlin", period: Day, at: "2026-10-25T12:00:00+01:00", from: "2026-10-25T00:00:00+02:00", to: "2026-10-26T00:00:00+01:00"},
		{name: "23.5 hours", zone: "Australia/Lord_Howe", period: Day, at: "2026-10-04T12:00:00+11:00", from: "2026-10-04T00:00:00+10:30", to: "2026-10-05T00:00:00+11:00"},
		{name: "24.5 hours", zone: "Australia/Lord_Howe", period: Day, at: "2026-04-05T12:00:00+10:30", from: "2026-04-05T00:00:00+11:00", to: "2026-04-06T00:00:00+10:30"},
		{name: "a reset that clocks skip: after the gap", zone: "Europe/Berlin", period: Day, reset: TimeOfDay{2, 30}, at: "2026-03-29T12:00:00+02:00", from: "2026-03-29T03:00:00+02:00", to: "2026-03-30T02:30:00+02:00"},
		{name: "the day before such a reset ends there", zone: "Europe/Berlin", period: Day, reset: TimeOfDay{2, 30}, at: "2026-03-29T01:59:59+01:00", from: "2026-03-28T02:30:00+01:00", to: "2026-03-29T03:00:00+02:00"},
		{name: "midnight that clocks skip", zone: "America/Santiago", period: Day, at: "2026-09-06T12:00:00-03:00", from: "2026-09-06T01:00:00-03:00", to: "2026-09-07T00:00:00-03:00"},
		{name: "a reset shown twice: the first", zone: "Europe/Berlin", period: Day, reset: TimeOfDay{2, 30}, at: "2026-10-25T02:30:00+01:00", from: "2026-10-25T02:30:00+02:00", to: "2026-10-26T02:30:00+01:00"},
		{name: "before a missing date", zone: "Pacific/Apia", period: Day, at: "2011-12-29T23:59:59-10:00", from: "2011-12-29T00:00:00-10:00", to: "2011-12-31T00:00:00+14:00"},
		{name: "after a missing date", zone: "Pacific/Apia", period: Day, at: "2011-12-31T00:00:00+14:00", from: "2011-12-31T00:00:00+14:00", to: "2012-01-01T00:00:00+14:00"},
		{name: "the 366th day of a zone that goes on by rule", zone: "Europe/Berlin", period: Day, at: "2040-12-31T12:00:00+01:00", from: "2040-12-31T00:00:00+01:00", to: "2041-01-01T00:00:00+01:00"},
		{name: "a week begins on Monday", zone: "UTC", period: Week, at: "2026-11-22T23:00:00Z", from: "2026-11-16T00:00:00Z", to: "2026-11-23T00:00:00Z"},
		{name: "or on Sunday", zone: "UTC", period: Week, anchor: 7, at: "2026-11-22T23:00:00Z", from: "2026-11-22T00:00:00Z", to: "2026-11-29T00:00:00Z"},
		{name: "a week of 169 hours", zone: "Europe/Berlin", period: Week, at: "2026-10-25T12:00:00+01:00", from: "2026-10-19T00:00:00+02:00", to: "2026-10-26T00:00:00+01:00"},
		{name: "a month", zone: "UTC", period: Month, at: "2026-02-28T23:59:59Z", from: "2026-02-01T00:00:00Z", to: "2026-03-01T00:00:00Z"},
		{name: "a month from the 31st, clamped", zone: "UTC", period: Month, anchor: 31, at: "2026-02-28T00:00:00Z", from: "2026-02-28T00:00:00Z", to: "2026-03-31T00:00:00Z"},
		{name: "over the year's end", zone: "UTC", period: Month, anchor: 15, at: "2027-01-03T00:00:00Z", from: "2026-12-15T00:00:00Z", to: "2027-01-15T00:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, err := time.Parse(layout, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			limit := Limit{Amount: 1, Unit: Requests, Period: tc.period, Anchor: tc.anchor, Reset: tc.reset, Zone: zone(t, tc.zone)}
			got := limit.BoundsAt(at)
			if from, to := got.From.Format(layout), got.To.Format(layout); from != tc.from || to != tc.to {
				t.Errorf("BoundsAt(%s) = [%s, %s); want [%s, %s)", tc.at, from, to, tc.from, tc.to)
			}
		})
	}
}

// Around every change of every zone, windows touch, are not empty, answer the
// same for their first and last instant, and begin at the reset time unless
// clocks skipped it.
func TestBoundsOfAllZones(t *testing.T) {
	names, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	resets := []TimeOfDay{{0, 0}, {2, 30}, {23, 45}}
	periods := []Period{Day, Day, Day, Week, Month}
	for i, name := range strings.Fields(string(names)) {
		loc := zone(t, name)
		checked := 0
		for at := time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC); at.Year() <= 2037; checked++ {
			limit := Limit{
				Amount: 1, Unit: Requests, Zone: loc,
				Period: periods[(i+checked)%len(periods)], Reset: resets[checked%len(resets)], Anchor: 1 + (i+checked)%7,
			}
			checkChain(t, &limit, at.Add(-36*time.Hour), at.Add(36*time.Hour))
			next := offsetEnd(at.In(loc))
			if next.IsZero() || next.Sub(at) > 400*24*time.Hour {
				next = at.Add(400 * 24 * time.Hour)
			}
			at = next
		}
		if checked < 60 {
			t.Errorf("%s: %d places looked at; want at least 60", name, checked)
		}
	}
}

// checkChain walks the windows from the one that t lies in until they pass the end.
func checkChain(t *testing.T, limit *Limit, at, end time.Time) {
	t.Helper()
	b := limit.BoundsAt(at)
	if !b.contains(at) {
		t.Fatalf("%s %s: BoundsAt(%s) = [%s, %s) without it", limit.Zone, limit.Name(), at, b.From, b.To)
	}
	for b.From.Before(end) {
		if last := limit.BoundsAt(b.To.Add(-1)); last != b {
			t.Fatalf("%s %s: last instant of [%s, %s) is in [%s, %s)", limit.Zone, limit.Name(), b.From, b.To, last.From, last.To)
		}
		if h, m, s := b.From.Clock(); h != limit.Reset.Hour || m != limit.Reset.Minute || s != 0 {
			if sameOffset(b.From) {
				t.Fatalf("%s %s: begins at %s and clocks skipped nothing; want %02d:%02d", limit.Zone, limit.Name(), b.From, limit.Reset.Hour, limit.Reset.Minute)
			}
		}
		next := limit.BoundsAt(b.To)
		if next.From != b.To || !next.To.After(next.From) {
			t.Fatalf("%s %s: after [%s, %s) comes [%s, %s)", limit.Zone, limit.Name(), b.From, b.To, next.From, next.To)
		}
		b = next
	}
}

// sameOffset reports whether the zone's clocks went on evenly at t.
func sameOffset(t time.Time) bool {
	_, before := t.Add(-1).Zone()
	_, after := t.Zone()
	return before == after
}
