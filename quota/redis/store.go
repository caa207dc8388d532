// Package redis keeps quota counters in a Redis or Valkey server, for any
// number of gateways.
//
// Every decision is one script on the server: atomic, idempotent by
// reservation id, on the server's clock. This package turns requests into
// script calls and replies into decisions; it decides nothing itself. All keys
// of a subject share a cluster slot, and a script touches no others:
//
//	<prefix>:q1:{subject}   hash: counters and reservations, see scripts/reserve.lua
//	<prefix>:g1:{subject}   list: the ledger, newest first
package redis

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	conn "github.com/openova-io/llm-gateway/internal/store/redis"
	"github.com/openova-io/llm-gateway/quota"
)

// ledgerLines is how many lines of a subject's ledger are kept at least; it is
// trimmed when it has twice as many.
const ledgerLines = 200

// Store keeps counters in a server. It implements [quota.Store].
type Store struct {
	client *conn.Client
	now    func() time.Time // only for LastUse: decisions are made on the server's clock
	used   atomic.Int64     // Unix ms
}

var _ quota.Store = (*Store)(nil)

// New returns a store on the client, which it closes with itself. now tells
// when the store was last used, nothing else.
func New(client *conn.Client, now func() time.Time) *Store {
	s := &Store{client: client, now: now}
	s.touch()
	return s
}

// LastUse is when somebody last asked.
func (s *Store) LastUse() time.Time { return time.UnixMilli(s.used.Load()) }

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }

func (s *Store) touch() { s.used.Store(s.now().UnixMilli()) }

// Reserve decides and takes in one script call. The error wraps
// [quota.ErrNotAsked] if the call never got onto a connection: the breaker is
// open, nothing listens, the password is wrong, all connections are taken.
func (s *Store) Reserve(ctx context.Context, req *quota.Request) (quota.Decision, error) {
	if err := req.Check(); err != nil {
		return quota.Decision{}, err
	}
	s.touch()
	ctx, cancel := s.bounded(ctx)
	defer cancel()

	a := reserveCalls.get()
	defer reserveCalls.put(a)
	cmd := goredis.NewStringCmd(ctx, a.reserve(s.recordKey(req.Subject), req)...)
	err := s.client.Process(ctx, cmd)
	if unknownScript(err) {
		// EVAL runs the script and teaches it to the node that owns the key.
		a.args[0], a.args[1], a.id.sent = "eval", reserveScript.source, false
		cmd = goredis.NewStringCmd(ctx, a.args...)
		err = s.client.Process(ctx, cmd)
	}
	switch {
	case err != nil && !a.id.sent:
		return quota.Decision{}, fmt.Errorf("reserve: %w: %w", quota.ErrNotAsked, conn.Explain(err))
	case err != nil:
		return quota.Decision{}, failed("reserve", err)
	}
	d, err := parseDecision(cmd.Val(), req)
	if err != nil {
		return d, fmt.Errorf("reserve: %w", err)
	}
	return d, nil
}

// Settle ends the batch's reservations in one pipeline.
func (s *Store) Settle(ctx context.Context, batch []quota.Settlement) ([]quota.Result, error) {
	calls := make([][]any, len(batch))
	for i := range batch {
		st := &batch[i]
		calls[i] = settleArgs(s.recordKey(st.Subject), s.ledgerKey(st.Subject), st)
	}
	replies, err := s.scripts(ctx, &settleScript, calls)
	if err != nil {
		return nil, failed("settle", err)
	}
	results := make([]quota.Result, len(batch))
	for i, r := range replies {
		if results[i], err = parseResult(r); err != nil {
			return nil, fmt.Errorf("settle: %w", err)
		}
	}
	return results, nil
}

// Renew prolongs leases, those of one subject in one script call, all in one
// pipeline.
func (s *Store) Renew(ctx context.Context, batch []quota.Lease) ([]bool, error) {
	calls, places := renewals(batch, s.recordKey)
	replies, err := s.scripts(ctx, &renewScript, calls)
	if err != nil {
		return nil, failed("renew", err)
	}
	live := make([]bool, len(batch))
	for i, r := range replies {
		if err := parseLive(r, places[i], live); err != nil {
			return nil, fmt.Errorf("renew: %w", err)
		}
	}
	return live, nil
}

// scripts runs one script many times in a pipeline. A server that does not
// know the script (it was restarted, or has taken over) is taught, and asked
// again for what it refused; what it did stays done.
func (s *Store) scripts(ctx context.Context, sc *script, calls [][]any) ([]any, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	s.touch()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	cmds := make([]*goredis.Cmd, len(calls))
	pending := make([]int, len(calls))
	for i := range calls {
		pending[i] = i
	}
	for attempt := 0; len(pending) > 0; attempt++ {
		_, _ = s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, i := range pending {
				cmds[i] = p.Do(ctx, append([]any{"evalsha", sc.name}, calls[i]...)...)
			}
			return nil
		}) // each command has its own error
		unknown := pending[:0]
		for _, i := range pending {
			if unknownScript(cmds[i].Err()) {
				unknown = append(unknown, i)
			}
		}
		pending = unknown
		if len(pending) == 0 || attempt > 0 {
			break
		}
		if err := s.client.ScriptLoad(ctx, sc.source).Err(); err != nil {
			return nil, err
		}
	}
	replies := make([]any, len(calls))
	for i, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return nil, err
		}
		replies[i] = cmd.Val()
	}
	return replies, nil
}

// bounded gives a call that has no deadline the client's: one call from first
// to last byte, retry included. Making a context costs more than a call has
// allocations for, so a caller's own deadline is left as it is.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.client.Timeout)
}

func (s *Store) recordKey(subject string) string {
	return s.client.Prefix + ":q1:{" + subject + "}"
}

func (s *Store) ledgerKey(subject string) string {
	return s.client.Prefix + ":g1:{" + subject + "}"
}

// errDamaged is in every error of a record that the scripts cannot read.
var errDamaged = errors.New("the subject's record is damaged")

// failed gives an error its meaning: the store is away, or this one record is
// damaged. Whoever cancels could not ask either.
func failed(what string, err error) error {
	if conn.Unavailable(err) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w: %w", what, quota.ErrUnavailable, conn.Explain(err))
	}
	return fmt.Errorf("%s: %w: %w", what, errDamaged, err)
}

func unknownScript(err error) bool {
	return err != nil && goredis.HasErrorPrefix(err, "NOSCRIPT")
}
