package llmgateway

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/llm-gateway/quota"
)

// defaultTiers are the mission's plans, for configurations that name none.
// Where their requests go is derived from the backends: routing.DefaultTiers.
var defaultTiers = []Tier{
	{Name: "free", Limits: []Limit{{Amount: 10, Unit: "requests", Per: "day"}}},
	{Name: "pro", Limits: []Limit{{Amount: 1000, Unit: "requests", Per: "day"}}},
	{Name: "enterprise", Limits: []Limit{{Amount: quota.Unlimited, Unit: "requests", Per: "day"}}},
}

// defaultInFlight are the caps of the mission's tiers; others have
// otherInFlight.
var defaultInFlight = map[string]int{"free": 4, "pro": 8, "enterprise": 32}

const otherInFlight = 8

// compiledTier is a tier as requests meet it.
type compiledTier struct {
	name      string
	plan      *quota.Plan
	unlimited bool
	zone      *time.Location
	// bodies is how many bodies of one subject may be read at once.
	bodies      int
	maxTokens   int64
	maxDuration time.Duration
	series      tierSeries
}

// compileTiers checks and compiles the quota side of the tiers.
func compileTiers(tiers []Tier) (map[string]*compiledTier, []string, error) {
	if len(tiers) == 0 {
		tiers = defaultTiers
	}
	compiled := make(map[string]*compiledTier, len(tiers))
	names := make([]string, 0, len(tiers))
	for i := range tiers {
		t := &tiers[i]
		if t.Name == "" {
			return nil, nil, fmt.Errorf("tier %d has no name", i+1)
		}
		if compiled[t.Name] != nil {
			return nil, nil, fmt.Errorf("tier %s stands twice", t.Name)
		}
		c, err := compileTier(t)
		if err != nil {
			return nil, nil, fmt.Errorf("tier %s: %w", t.Name, err)
		}
		compiled[t.Name] = c
		names = append(names, t.Name)
	}
	return compiled, names, nil
}

func compileTier(t *Tier) (*compiledTier, error) {
	if len(t.Limits) == 0 {
		return nil, fmt.Errorf("it has no limit; add one, for example: limit 100 requests per day, or: limit unlimited")
	}
	at, zone, err := parseReset(t.Reset)
	if err != nil {
		return nil, err
	}
	limits := make([]quota.Limit, len(t.Limits))
	unlimited := true
	for i, l := range t.Limits {
		if l.Amount < 0 && l.Amount != quota.Unlimited {
			return nil, fmt.Errorf("limit %d is negative; the word for no limit is unlimited", l.Amount)
		}
		unlimited = unlimited && l.Amount == quota.Unlimited
		limits[i] = quota.Limit{Amount: l.Amount, Unit: quota.Unit(l.Unit), Period: quota.Period(l.Per), Reset: at, Zone: zone}
	}
	inFlight := t.InFlight
	if inFlight == 0 {
		inFlight = defaultInFlight[t.Name]
	}
	if inFlight == 0 {
		inFlight = otherInFlight
	}
	plan, err := quota.NewPlan(t.Name, limits, int64(inFlight))
	if err != nil {
		return nil, err
	}
	bodies := inFlight
	if bodies < 0 {
		bodies = math.MaxInt32
	}
	return &compiledTier{
		name: t.Name, plan: plan, unlimited: unlimited, zone: zone, bodies: bodies,
		maxTokens: t.MaxTokens, maxDuration: time.Duration(t.MaxDuration), series: metrics.tier(t.Name),
	}, nil
}

// parseReset reads the time of day and zone at which windows begin.
func parseReset(r *Reset) (quota.TimeOfDay, *time.Location, error) {
	var at quota.TimeOfDay
	if r == nil {
		return at, time.UTC, nil
	}
	if r.At != "" {
		hour, minute, ok := strings.Cut(r.At, ":")
		h, errHour := strconv.Atoi(hour)
		m, errMinute := strconv.Atoi(minute)
		if !ok || errHour != nil || errMinute != nil || len(r.At) != len("00:00") || h < 0 || h > 23 || m < 0 || m > 59 {
			return at, nil, fmt.Errorf("reset %q is not a time of day; write it as 00:00", r.At)
		}
		at = quota.TimeOfDay{Hour: h, Minute: m}
	}
	zone, err := time.LoadLocation(r.Zone)
	if err != nil || r.Zone == "Local" {
		return at, nil, fmt.Errorf("reset zone %q is not known; write an IANA name, for example Europe/Berlin", r.Zone)
	}
	return at, zone, nil
}
