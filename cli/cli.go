// Package cli holds the subcommands of `caddy llm-gateway`.
//
// What a command prints on stdout is data; everything meant for people goes to
// stderr. It exits with 0 when all is fine, 1 on a finding or refusal, 2 on
// wrong usage.
package cli

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "llm-gateway",
		Short: "Commands of the LLM gateway",
		Long: `
Commands of the LLM gateway. Start with

    caddy llm-gateway dev

which runs the whole gateway on this machine with demo users and a simulated
model: no Redis, Keycloak or GPU is needed.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.AddCommand(devCommand())
		},
	})
}

// Exit statuses.
const (
	exitFine    = 0
	exitFinding = 1
	exitUsage   = 2
)
