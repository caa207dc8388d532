package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// ErrOpen is what callers get while the breaker keeps them away.
var ErrOpen = errors.New("redis: the store did not answer a moment ago")

// away are the replies of a server that cannot do its work now, whoever asks.
var away = []string{
	"READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS", "BUSY",
	"ERR max number of clients",
}

// unsigned are the replies to a client that is not signed in. The last one is
// what a server without our password answers to a long command: it does not
// say NOAUTH.
var unsigned = []string{"NOAUTH", "WRONGPASS", "ERR AUTH", noPassword}

const (
	noPassword = "ERR Protocol error: unauthenticated"
	// forbidden is the reply to a client that is signed in as one that may not
	// do this: another password would not help.
	forbidden = "NOPERM"
)

// Unavailable reports whether the error means that the store cannot be asked:
// dead, slow, refusing writes, not letting us in. It is false for nil, for the
// caller's own cancel, and for errors of one key or one script.
func Unavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, goredis.Nil) {
		return false
	}
	if _, ok := errors.AsType[goredis.Error](err); ok {
		return begins(err, away) || begins(err, unsigned) || begins(err, []string{forbidden})
	}
	return true // no reply at all: dial, timeout, EOF, pool, breaker
}

// refusedUs reports whether the server did not take our password.
func refusedUs(err error) bool { return err != nil && begins(err, unsigned) }

// begins looks for the prefix anywhere a wrapping may have moved it.
func begins(err error, prefixes []string) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		for _, p := range prefixes {
			if strings.HasPrefix(err.Error(), p) {
				return true
			}
		}
	}
	return false
}

// Explain adds what to do where the server's own words do not say it.
func Explain(err error) error {
	if err != nil && begins(err, []string{noPassword, "NOAUTH"}) {
		return fmt.Errorf("redis: password missing: the server wants one: %w", err)
	}
	return err
}
