package redis

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/openova-io/llm-gateway/quota"
)

// statuses are the words of reserve.lua.
var statuses = map[string]quota.Status{
	"OK":       quota.OK,
	"REPLAY":   quota.Replay,
	"QUOTA":    quota.Spent,
	"INFLIGHT": quota.InFlight,
	"REVOKED":  quota.Revoked,
	"PAUSED":   quota.Paused,
	"CLOCK":    quota.Clock,
	"GONE":     quota.Gone,
}

// fields takes numbers off the front of a reply.
type fields struct {
	rest string
	bad  bool
}

func (f *fields) word() string {
	word, rest, _ := strings.Cut(f.rest, " ")
	f.rest = rest
	return word
}

func (f *fields) number() int64 {
	n, err := strconv.ParseInt(f.word(), 10, 64)
	f.bad = f.bad || err != nil
	return n
}

// parseDecision reads "id status now inflight" and " used limit end" for each
// window. A reply to another id means that the connection is out of step:
// believing it would charge one person for another.
func parseDecision(reply string, req *quota.Request) (quota.Decision, error) {
	f := fields{rest: reply}
	if f.word() != req.ID {
		return quota.Decision{}, fmt.Errorf("%w: the store answered another reservation", quota.ErrUnavailable)
	}
	status, known := statuses[f.word()]
	d := quota.Decision{Status: status, Now: f.number(), InFlight: f.number()}
	if f.rest != "" {
		d.Windows = make([]quota.WindowState, len(req.Windows))
		for i := range d.Windows {
			d.Windows[i] = quota.WindowState{Used: f.number(), Limit: f.number(), End: f.number()}
		}
	}
	if f.bad || !known || f.rest != "" {
		return quota.Decision{}, fmt.Errorf("%w: reply %q cannot be read", quota.ErrUnavailable, reply)
	}
	return d, nil
}

// results are the words of settle.lua.
var results = map[string]quota.Result{
	"DONE": quota.Done,
	"KEPT": quota.Kept,
	"LATE": quota.Late,
	"GONE": quota.Unknown,
}

func parseResult(reply any) (quota.Result, error) {
	word, _ := reply.(string)
	r, ok := results[word]
	if !ok {
		return r, fmt.Errorf("%w: reply %v cannot be read", quota.ErrUnavailable, reply)
	}
	return r, nil
}

// parseLive spreads a reply of renew.lua over the places of its ids.
func parseLive(reply any, places []int, live []bool) error {
	flags, ok := reply.([]any)
	if !ok || len(flags) != len(places) {
		return fmt.Errorf("%w: reply %v cannot be read", quota.ErrUnavailable, reply)
	}
	for i, place := range places {
		live[place] = flags[i] == int64(1)
	}
	return nil
}
