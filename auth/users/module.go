package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/openova-io/llm-gateway/auth"
)

func init() {
	caddy.RegisterModule(new(Module))
}

// Module verifies the tokens of a users file: people without an identity
// provider.
//
// The file is JSON and holds hashes of tokens only:
//
//	{"users": [{
//	  "name": "alice", "tier": "pro", "disabled": false,
//	  "tokens": [{"sha256": "<hex>", "label": "laptop", "expires": "2027-01-01T00:00:00Z"}]
//	}]}
//
// It must exist when the gateway starts. A change holds within a second; a
// file that is broken or gone leaves the last good one in force.
type Module struct {
	// The path of the file. Placeholders allowed. Required.
	Path string `json:"path,omitempty"`

	path     string // resolved
	verifier *Verifier
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "llm_gateway.auth.users", New: func() caddy.Module { return new(Module) }}
}

// Provision resolves placeholders. It does not look at the file.
func (m *Module) Provision(caddy.Context) error {
	path, err := caddy.NewReplacer().ReplaceOrErr(m.Path, true, true)
	if err != nil {
		return fmt.Errorf("auth users: the path: %w", err)
	}
	if path == "" {
		return errors.New("auth users: the path is missing, e.g. auth users /etc/llm-gateway/users.json")
	}
	m.path = path
	return nil
}

// Bind makes the verifier for a site.
func (m *Module) Bind(site auth.Site) error {
	if m.verifier != nil {
		return errors.New("auth users: bound twice")
	}
	m.verifier = New(m.path, site)
	return nil
}

// Start reads the file and begins to watch it.
func (m *Module) Start() error {
	if m.verifier == nil {
		return nil
	}
	if err := m.verifier.Start(); err != nil {
		return fmt.Errorf("auth users: %w", err)
	}
	return nil
}

// Stop ends the watch.
func (m *Module) Stop() error {
	if m.verifier == nil {
		return nil
	}
	return m.verifier.Stop()
}

// Cleanup ends the watch if the app did not.
func (m *Module) Cleanup() error { return m.Stop() }

// Recognizes reports whether the token begins as ours do.
func (m *Module) Recognizes(token string) bool { return m.verifier.Recognizes(token) }

// Verify returns the principal of a token. Every error is an [*auth.Error].
func (m *Module) Verify(ctx context.Context, token string) (*auth.Principal, error) {
	return m.verifier.Verify(ctx, token)
}

// UnmarshalCaddyfile reads the path. Syntax:
//
//	users <file>
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if !d.NextArg() {
		return d.Err("auth users: the file is missing, e.g. auth users /etc/llm-gateway/users.json")
	}
	m.Path = d.Val()
	if d.NextArg() {
		return d.Errf("auth users: %q follows the file; it takes nothing else", d.Val())
	}
	if d.NextBlock(0) {
		return d.Errf("auth users: unknown option %q (it takes a file and no options)", d.Val())
	}
	return nil
}

// Interface guards.
var (
	_ auth.Guest            = (*Module)(nil)
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.CleanerUpper    = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
