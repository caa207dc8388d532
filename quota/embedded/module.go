package embedded

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/internal/store"
	"github.com/openova-io/llm-gateway/quota"
)

func init() {
	caddy.RegisterModule(new(Module))
}

// quiet is how long a store that no configuration names any more is kept:
// streams that began under an old configuration settle through it.
const quiet = 15 * time.Minute

var stores = store.NewPool[*lazy](quiet, time.Now) //nolint:forbidigo // the process's clock is chosen here

// Module counts charges in this process and on its disk: for one gateway
// without a Redis beside it. Counters survive kill -9; a power cut may lose
// the last second. More than one replica needs the `redis` store: a second
// process on the same directory is refused.
type Module struct {
	// The directory of the counters; it is made, readable by this user only,
	// if it is missing. Placeholders are allowed. Required.
	Dir string `json:"dir"`

	dir   string
	store *lazy
}

var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.CleanerUpper    = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
	_ quota.Guest           = (*Module)(nil)
)

// CaddyModule returns the module's ID.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "llm_gateway.quota.embedded", New: func() caddy.Module { return new(Module) }}
}

// Provision takes the store up, or makes one that opens when it is asked.
func (m *Module) Provision(ctx caddy.Context) error {
	dir, err := caddy.NewReplacer().ReplaceOrErr(m.Dir, true, true)
	if err != nil {
		return fmt.Errorf("quota embedded: dir: %w", err)
	}
	if dir == "" {
		return errors.New("quota embedded: a directory is needed, as in `quota embedded /var/lib/llm-gateway`")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("quota embedded: %w", err)
	}
	log := ctx.Logger()
	s, _, err := stores.Acquire(dir, func() (*lazy, error) {
		//nolint:forbidigo // the process's clock is chosen here
		return newLazy(dir, time.Now, func(o Opened) {
			log.Warn("quota counters are kept by this process; use a Redis store for more than one replica",
				zap.String("dir", dir), zap.Int("records", o.Records), zap.Int64("cut_bytes", o.Cut))
		}), nil
	})
	if err != nil {
		return fmt.Errorf("quota embedded: %w", err)
	}
	m.store, m.dir = s, dir
	return nil
}

// Open opens the directory now. Without it the first request does; a gateway
// that starts calls it, so that a directory in use is known at once.
func (m *Module) Open() error {
	_, err := m.store.open()
	return err
}

// Cleanup gives the store back; it is closed when it has been quiet.
func (m *Module) Cleanup() error {
	if m.store != nil {
		stores.Release(m.dir)
		m.store = nil
	}
	return nil
}

// Store returns the store, shared with other configurations of the same
// directory.
func (m *Module) Store() quota.Store { return m.store }

// Kind is "embedded".
func (*Module) Kind() string { return "embedded" }

// Key identifies the directory.
func (m *Module) Key() string { return "embedded:" + m.dir }

// UnmarshalCaddyfile reads the store's line. Syntax:
//
//	quota embedded <dir>
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	if !d.Args(&m.Dir) || d.NextArg() {
		return d.Err("quota embedded: one directory is needed, as in `quota embedded /var/lib/llm-gateway`")
	}
	if d.NextBlock(0) {
		return d.Errf("quota embedded: unknown option %q (there are none)", d.Val())
	}
	return nil
}
