package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// logPause is how long the client library is silent after a line: a dead
// server makes it say the same for every connection.
const logPause = 10 * time.Second

// LogTo makes the client library, which has one logger for the whole process,
// write to this one: at most one line each ten seconds.
func LogTo(log *zap.Logger, now func() time.Time) {
	goredis.SetLogger(&limited{log: log, now: now})
}

// limited is a logger that counts what it leaves out.
type limited struct {
	log *zap.Logger
	now func() time.Time

	mu     sync.Mutex
	silent time.Time // until
	left   int
}

// Printf writes one line of the library.
func (l *limited) Printf(_ context.Context, format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if now.Before(l.silent) {
		l.left++
		return
	}
	l.log.Warn("redis client", zap.String("says", fmt.Sprintf(format, v...)), zap.Int("left_out", l.left))
	l.silent, l.left = now.Add(logPause), 0
}
