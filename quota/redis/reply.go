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

// parseRead takes a reply of read.lua apart.
func parseRead(reply any) (now int64, hash map[string]string, ledger []string, err error) {
	parts, _ := reply.([]any)
	if len(parts) != 3 {
		return 0, nil, nil, fmt.Errorf("%w: reply %T cannot be read", quota.ErrUnavailable, reply)
	}
	now, timed := parts[0].(int64)
	pairs, named := words(parts[1])
	ledger, listed := words(parts[2])
	if !timed || !named || !listed || len(pairs)%2 != 0 {
		return 0, nil, nil, fmt.Errorf("%w: reply of %d parts cannot be read", quota.ErrUnavailable, len(parts))
	}
	hash = make(map[string]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		hash[pairs[i]] = pairs[i+1]
	}
	return now, hash, ledger, nil
}

// words are a list of strings in a reply.
func words(reply any) ([]string, bool) {
	list, ok := reply.([]any)
	out := make([]string, len(list))
	for i, v := range list {
		s, is := v.(string)
		out[i], ok = s, ok && is
	}
	return out, ok
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
