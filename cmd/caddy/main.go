// Command caddy is Caddy with the LLM gateway built in: the same program that
// xcaddy makes, as a plain Go build.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/openova-io/llm-gateway"
)

func main() {
	caddycmd.Main()
}
