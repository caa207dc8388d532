package quota

import (
	"strings"
	"testing"
	"time"
)

func perDay(amount int64) Limit { return Limit{Amount: amount, Unit: Requests, Period: Day} }

func mustPlan(t testing.TB, inFlight int64, limits ...Limit) *Plan {
	t.Helper()
	p, err := NewPlan("free", limits, inFlight)
	if err != nil {
		t.Fatalf("NewPlan: %v", err)
	}
	return p
}

func TestNewPlanRefuses(t *testing.T) {
	for _, tc := range []struct {
		name     string
		tier     string
		limits   []Limit
		inFlight int64
		err      string
	}{
		{name: "no limit", tier: "free", inFlight: 4, err: "no limit"},
		{name: "no room in flight", tier: "free", limits: []Limit{perDay(10)}, inFlight: 0, err: "0 requests in flight"},
		{name: "less than unlimited in flight", tier: "free", limits: []Limit{perDay(10)}, inFlight: -2, err: "-2 requests in flight"},
		{name: "less than unlimited", tier: "free", limits: []Limit{perDay(-2)}, inFlight: 4, err: "amount -2"},
		{name: "more than a script can add", tier: "free", limits: []Limit{perDay(1 << 51)}, inFlight: 4, err: "amount"},
		{name: "a unit of later", tier: "free", limits: []Limit{{Unit: "tokens", Period: Day}}, inFlight: 4, err: `unknown unit "tokens"`},
		{name: "an unknown period", tier: "free", limits: []Limit{{Unit: Requests, Period: "year"}}, inFlight: 4, err: `unknown period "year"`},
		{name: "no such time", tier: "free", limits: []Limit{{Unit: Requests, Period: Day, Reset: TimeOfDay{24, 0}}}, inFlight: 4, err: "reset 24:00"},
		{name: "no such weekday", tier: "free", limits: []Limit{{Unit: Requests, Period: Week, Anchor: 8}}, inFlight: 4, err: "the week begins"},
		{name: "one counter twice", tier: "free", limits: []Limit{perDay(1), perDay(2)}, inFlight: 4, err: "given twice"},
		{name: "no name", limits: []Limit{perDay(1)}, inFlight: 4, err: "name of its tier"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := NewPlan(tc.tier, tc.limits, tc.inFlight); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("NewPlan = %v; want an error with %q", err, tc.err)
			}
		})
	}
}

func TestPlanWindowsFollowTheClock(t *testing.T) {
	week := Limit{Amount: Unlimited, Unit: Requests, Period: Week}
	p := mustPlan(t, 4, perDay(10), week)
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	sunday := p.windowsAt(at("2026-11-22T12:00:00Z"))
	want := Window{Name: "day/requests", Kind: Calendar, Limit: 10, Amount: 1, From: at("2026-11-22T00:00:00Z"), To: at("2026-11-23T00:00:00Z")}
	if sunday[0] != want {
		t.Errorf("day window = %+v; want %+v", sunday[0], want)
	}
	if last := p.windowsAt(at("2026-11-23T00:00:00Z") - 1); &last[0] != &sunday[0] {
		t.Error("windows were computed again before one of them ended")
	}
	monday := p.windowsAt(at("2026-11-23T00:00:00Z"))
	if monday[0].From != sunday[0].To || monday[1].From != sunday[1].To {
		t.Errorf("windows on Monday = %+v; want both to follow Sunday's %+v", monday, sunday)
	}
	if back := p.windowsAt(at("2026-11-22T23:00:00Z")); back[0] != sunday[0] {
		t.Errorf("windows after the clock went back = %+v; want %+v", back[0], sunday[0])
	}
	if allocs := testing.AllocsPerRun(100, func() { p.windowsAt(at("2026-11-22T23:30:00Z")) }); allocs > 0 {
		t.Errorf("windowsAt allocates %v times; want 0 while the window lasts", allocs)
	}
}
