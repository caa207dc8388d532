package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"github.com/openova-io/llm-gateway/internal/store"
)

// guard stands before every command: it keeps callers away from a store that
// does not answer.
type guard struct{ breaker *store.Breaker }

// DialHook leaves dialling alone: what a failed dial means is seen by the
// command that needed it.
func (g guard) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook guards one command.
func (g guard) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if connecting(cmd) {
			return next(ctx, cmd)
		}
		if !g.breaker.Allow() {
			cmd.SetErr(ErrOpen)
			return ErrOpen
		}
		err := next(ctx, cmd)
		g.observe(err)
		return err
	}
}

// ProcessPipelineHook guards a pipeline as one.
func (g guard) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if len(cmds) > 0 && connecting(cmds[0]) {
			return next(ctx, cmds)
		}
		if !g.breaker.Allow() {
			for _, cmd := range cmds {
				cmd.SetErr(ErrOpen)
			}
			return ErrOpen
		}
		err := next(ctx, cmds)
		g.observe(err)
		return err
	}
}

// observe tells the breaker how a call went.
func (g guard) observe(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, goredis.ErrPoolTimeout) {
		g.breaker.Forget() // the caller left, or stood in our own queue
		return
	}
	g.breaker.Done(!Unavailable(err))
}

// connecting reports whether the command belongs to the making of a
// connection, which happens inside a command that was let through: a probe
// that had to dial must not be turned away by the breaker it probes for.
func connecting(cmd goredis.Cmder) bool {
	switch cmd.Name() {
	case "hello", "auth", "select", "client", "readonly":
		return true
	}
	return false
}
