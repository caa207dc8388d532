package quota

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Plan is what one tier may use, compiled: the windows that a reservation of
// the tier takes from, with the bounds they have at the moment. Plans are safe
// for concurrent use.
type Plan struct {
	tier     string
	limits   []Limit
	inFlight int64
	current  atomic.Pointer[calendar]
}

// calendar is the windows of a plan for as long as none of them ends. It is
// shared by all reservations of that time and never changes.
type calendar struct {
	windows  []Window
	from, to int64 // Unix ms: when it holds
}

// NewPlan compiles a tier. inFlight is how many requests of one subject may
// run at once, [Unlimited] for any number. It refuses a plan without a limit
// (unlimited is a limit), limits that share a counter, and values out of range.
func NewPlan(tier string, limits []Limit, inFlight int64) (*Plan, error) {
	if tier == "" || strings.TrimSpace(tier) != tier {
		return nil, errors.New("quota: a plan needs the name of its tier")
	}
	if len(limits) == 0 {
		return nil, fmt.Errorf("quota: tier %s: no limit (an unlimited tier needs a limit of %d)", tier, Unlimited)
	}
	if inFlight == 0 || inFlight < Unlimited || inFlight > maxAmount {
		return nil, fmt.Errorf("quota: tier %s: %d requests in flight: must be 1 or more, or %d for unlimited", tier, inFlight, Unlimited)
	}
	seen := make(map[string]bool, len(limits))
	for i := range limits {
		if err := limits[i].check(); err != nil {
			return nil, fmt.Errorf("quota: tier %s: limit %s: %w", tier, limits[i].Name(), err)
		}
		if seen[limits[i].Name()] {
			return nil, fmt.Errorf("quota: tier %s: limit %s given twice", tier, limits[i].Name())
		}
		seen[limits[i].Name()] = true
	}
	return &Plan{tier: tier, limits: append([]Limit(nil), limits...), inFlight: inFlight}, nil
}

// windowsAt returns the windows at a moment in Unix ms. They are shared and
// must not be changed. Bounds are computed only when one has passed.
func (p *Plan) windowsAt(ms int64) []Window {
	c := p.current.Load()
	if c == nil || ms < c.from || ms >= c.to {
		c = p.calendarAt(ms)
		p.current.Store(c)
	}
	return c.windows
}

func (p *Plan) calendarAt(ms int64) *calendar {
	c := &calendar{windows: make([]Window, len(p.limits))}
	for i := range p.limits {
		l := &p.limits[i]
		b := l.BoundsAt(time.UnixMilli(ms))
		w := Window{
			Name: l.Name(), Kind: Calendar, Limit: l.Amount,
			// Floor 0: a request whose lease runs out comes back whole.
			Amount: 1, From: b.From.UnixMilli(), To: b.To.UnixMilli(),
		}
		c.windows[i] = w
		if i == 0 {
			c.from, c.to = w.From, w.To
		}
		c.from, c.to = max(c.from, w.From), min(c.to, w.To)
	}
	return c
}
