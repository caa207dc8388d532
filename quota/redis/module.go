package redis

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/openova-io/llm-gateway/internal/nearest"
	"github.com/openova-io/llm-gateway/internal/store"
	conn "github.com/openova-io/llm-gateway/internal/store/redis"
	"github.com/openova-io/llm-gateway/quota"
)

func init() {
	caddy.RegisterModule(new(Module))
}

// quiet is how long a store that no configuration names any more is kept: a
// stream that began under an old configuration renews its lease of a minute
// three times a minute, and settles through the same store.
const quiet = 15 * time.Minute

var open = store.NewPool[*Store](quiet, time.Now) //nolint:forbidigo // the process's clock is chosen here

// Module counts charges in a Redis or Valkey server, for any number of
// gateways.
//
// The server should write an append-only file (`appendonly yes`) and never
// evict (`maxmemory-policy noeviction`): what it forgets, people get again.
// While it does not answer, requests are refused (503).
//
// A reload keeps the connections: a password that changed is tried beside the
// one before it. Nothing is connected while the configuration is loaded.
type Module struct {
	// Where the server is: `redis://`, `rediss://` (TLS), `unix://`,
	// `redis+sentinel://…?master_name=m` or `redis+cluster://a,b,c`, with
	// `user:password@` before the host if it asks for one. Placeholders are
	// allowed, and the password belongs in one. Required.
	URL string `json:"url"`

	// Who signs in. Placeholders are allowed. Default: the URL's user, else
	// the server's default user.
	Username string `json:"username,omitempty"`

	// A file that holds the password. It is read for every new connection, so
	// a rotation needs no reload. Placeholders are allowed.
	PasswordFile string `json:"password_file,omitempty"`

	// What every key begins with. Default: `llmgw`.
	Prefix string `json:"prefix,omitempty"`

	// How long dialling, reading and writing may take, each. Raise it for a
	// server that is far away: a request waits for its charge 4/3 of it, at
	// least 200 ms, and for a refund 2/3, at least 100 ms. Default: `150ms`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Accept any certificate where the URL says `skip_verify=true`. Default:
	// false, and then that URL is an error.
	TLSInsecure bool `json:"tls_insecure,omitempty"`

	key     string
	store   *Store
	offered conn.Options // what this configuration says, once it is in force
	log     *zap.Logger
}

var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.CleanerUpper    = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
	_ quota.Guest           = (*Module)(nil)
	_ quota.Timed           = (*Module)(nil)
)

// CaddyModule returns the module's ID.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "llm_gateway.quota.redis", New: func() caddy.Module { return new(Module) }}
}

// Provision takes the store up, or makes one that connects when it is asked. A
// store that is in use learns nothing yet: the configuration may be refused.
func (m *Module) Provision(ctx caddy.Context) error {
	o, err := m.options()
	if err != nil {
		return fmt.Errorf("quota redis: %w", err)
	}
	key, err := conn.KeyOf(o)
	if err != nil {
		return fmt.Errorf("quota: %w", err)
	}
	s, _, err := open.Acquire(key, func() (*Store, error) {
		client, err := conn.Open(o, time.Now) //nolint:forbidigo // the process's clock is chosen here
		if err != nil {
			return nil, err
		}
		return New(client, time.Now), nil //nolint:forbidigo // the process's clock is chosen here
	})
	if err != nil {
		return fmt.Errorf("quota: %w", err)
	}
	m.store, m.key, m.offered, m.log = s, key, o, ctx.Logger()
	return nil
}

// Open is called when the configuration comes into force: from then on a
// password that it changed is tried beside the one that works. It connects
// nothing.
func (m *Module) Open() error {
	m.store.client.Offer(m.offered)
	conn.LogTo(m.log, time.Now) //nolint:forbidigo // the process's clock is chosen here
	return nil
}

// options resolves the placeholders.
func (m *Module) options() (conn.Options, error) {
	o := conn.Options{Timeout: time.Duration(m.Timeout), TLSInsecure: m.TLSInsecure}
	r := caddy.NewReplacer()
	for _, f := range []struct {
		word string
		from string
		to   *string
	}{
		{"url", m.URL, &o.URL},
		{"username", m.Username, &o.Username},
		{"password_file", m.PasswordFile, &o.PasswordFile},
		{"prefix", m.Prefix, &o.Prefix},
	} {
		v, err := r.ReplaceOrErr(f.from, true, true)
		if err != nil {
			return o, fmt.Errorf("%s: %w", f.word, err)
		}
		*f.to = v
	}
	return o, nil
}

// Cleanup gives the store back; it is closed when it has been quiet.
func (m *Module) Cleanup() error {
	if m.store != nil {
		open.Release(m.key)
		m.store = nil
	}
	return nil
}

// Store returns the store, shared with other configurations of the same key.
func (m *Module) Store() quota.Store { return m.store }

// StoreTimeout is the timeout that the configuration says, or the default.
func (m *Module) StoreTimeout() time.Duration {
	return cmp.Or(time.Duration(m.Timeout), conn.DefaultTimeout)
}

// Kind is "redis".
func (*Module) Kind() string { return "redis" }

// Key identifies server, user and prefix; it holds no secret.
func (m *Module) Key() string { return "redis:" + m.key }

// UnmarshalCaddyfile reads the store's line. Syntax:
//
//	quota redis <url> {
//	    username      <name>
//	    password_file <path>
//	    prefix        <word>
//	    timeout       <duration>
//	    tls_insecure
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	if !d.Args(&m.URL) || d.NextArg() {
		return d.Err("quota redis: one URL is needed, as in `quota redis redis://valkey:6379`")
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		word := d.Val()
		if seen[word] {
			return d.Errf("quota redis: %s given twice", word)
		}
		seen[word] = true
		if err := m.unmarshalOption(d, word); err != nil {
			return err
		}
	}
	return nil
}

// options are the words of the block.
var options = []string{"username", "password_file", "prefix", "timeout", "tls_insecure"}

// unmarshalOption reads one line of the block.
func (m *Module) unmarshalOption(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "username":
		return value(d, word, &m.Username)
	case "password_file":
		return value(d, word, &m.PasswordFile)
	case "prefix":
		return value(d, word, &m.Prefix)
	case "timeout":
		var text string
		if err := value(d, word, &text); err != nil {
			return err
		}
		t, err := caddy.ParseDuration(text)
		if err != nil || t <= 0 {
			return d.Errf("quota redis: timeout %q is no time to wait, as in `timeout 150ms`", text)
		}
		m.Timeout = caddy.Duration(t)
		return nil
	case "tls_insecure":
		if d.NextArg() {
			return d.Errf("quota redis: %s takes no value", word)
		}
		m.TLSInsecure = true
		return nil
	default:
		hint := ""
		if near, ok := nearest.Word(word, options); ok {
			hint = "; did you mean " + near + "?"
		}
		return d.Errf("quota redis: unknown option %q%s (known: %s)", word, hint, strings.Join(options, ", "))
	}
}

// value reads the one value of an option.
func value(d *caddyfile.Dispenser, word string, to *string) error {
	if !d.Args(to) || d.NextArg() {
		return d.Errf("quota redis: %s takes one value", word)
	}
	return nil
}
