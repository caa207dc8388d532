package redis

import (
	"crypto/sha1" //nolint:gosec // the name that the server gives a script
	_ "embed"
	"encoding/hex"
	"strconv"
	"sync"

	"github.com/openova-io/llm-gateway/quota"
)

// script is a Lua source and the name that the server knows it by.
type script struct {
	source string
	name   any // its SHA-1 in hex, boxed once
}

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // not for security
	return script{source: source, name: hex.EncodeToString(sum[:])}
}

var (
	//go:embed scripts/reserve.lua
	reserveSource string
	//go:embed scripts/settle.lua
	settleSource string
	//go:embed scripts/renew.lua
	renewSource string
	//go:embed scripts/read.lua
	readSource string

	reserveScript = newScript(reserveSource)
	settleScript  = newScript(settleSource)
	renewScript   = newScript(renewSource)
	readScript    = newScript(readSource)
)

// reserveCall holds the arguments of one reserve. Numbers and strings are
// passed as pointers into the request and this struct: boxing each of them
// would be an allocation.
type reserveCall struct {
	args     []any
	id       tracedID
	leaseMs  int64
	inFlight int64
	windows  int64
}

// tracedID is an id that knows whether it was put on a connection. The client
// library may fail before that in many ways (breaker, dialling, signing in, its
// own queue), also in a retry of a call that was sent: its last error tells
// nothing about the first attempt.
type tracedID struct {
	id   string
	sent bool
	buf  [64]byte // as long as an id may be
}

// MarshalBinary is called for each writing of the command.
func (t *tracedID) MarshalBinary() ([]byte, error) {
	t.sent = true
	return append(t.buf[:0], t.id...), nil
}

// reserve fills the arguments in. They are valid while req is.
func (a *reserveCall) reserve(key string, req *quota.Request) []any {
	a.leaseMs = max(1, req.Lease.Milliseconds())
	a.id.id, a.id.sent = req.ID, false
	a.inFlight, a.windows = req.InFlight, int64(len(req.Windows))
	a.args = append(a.args[:0], "evalsha", reserveScript.name, "1", key,
		&a.id, &req.IssuedAt, &req.Session, &a.inFlight, &a.leaseMs, &a.windows)
	for i := range req.Windows {
		w := &req.Windows[i]
		a.args = append(a.args, &w.Name, kindArg(w.Kind), &w.Limit, &w.Amount, &w.Floor, &w.From, &w.To, &w.Credit)
	}
	return a.args
}

func kindArg(k quota.WindowKind) any {
	switch k {
	case quota.Calendar:
		return "c"
	case quota.FirstUse:
		return "f"
	case quota.Rate:
		return "g"
	}
	return "" // Check refuses it before
}

// calls is a free list of reserveCall.
type calls struct{ pool sync.Pool }

var reserveCalls = calls{pool: sync.Pool{New: func() any { return new(reserveCall) }}}

func (c *calls) get() *reserveCall {
	a, _ := c.pool.Get().(*reserveCall)
	return a
}

// put forgets what the arguments point to: a pool must not keep requests.
func (c *calls) put(a *reserveCall) {
	clear(a.args)
	a.id.id = ""
	c.pool.Put(a)
}

// settleArgs are the keys and arguments of settle.lua.
func settleArgs(record, ledger string, st *quota.Settlement) []any {
	args := make([]any, 0, 8+2*len(st.Actual))
	args = append(args, 2, record, ledger, st.ID, string(st.Mode), st.RefundCap, ledgerLines, st.Line)
	for name, n := range st.Actual {
		args = append(args, name, n)
	}
	return args
}

// renewChunk bounds one call of renew.lua: the server's Lua passes a few
// thousand values at most.
const renewChunk = 256

// renewals groups a batch by subject and lease: the arguments of each call of
// renew.lua, and where in the batch its ids stand.
func renewals(batch []quota.Lease, key func(subject string) string) (args [][]any, places [][]int) {
	type group struct {
		subject string
		lease   int64
	}
	open := make(map[group]int)
	for i := range batch {
		g := group{batch[i].Subject, max(1, batch[i].Lease.Milliseconds())}
		at, ok := open[g]
		if !ok || len(places[at]) == renewChunk {
			at = len(args)
			open[g] = at
			args = append(args, []any{1, key(g.subject), strconv.FormatInt(g.lease, 10)})
			places = append(places, nil)
		}
		args[at] = append(args[at], batch[i].ID)
		places[at] = append(places[at], i)
	}
	return args, places
}
