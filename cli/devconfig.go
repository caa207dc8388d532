package cli

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/openova-io/llm-gateway/internal/vllmsim"
)

// devCaddyfile returns the Caddyfile that dev runs. --print-config shows it, so
// it is written as a person would.
func devCaddyfile(listen, dir string, model *devModel) []byte {
	host, port, _ := net.SplitHostPort(listen) // checked with the flags
	var b bytes.Buffer
	fmt.Fprintf(&b, `{
	admin %s
	persist_config off
	auto_https off
	metrics
	storage file_system %s
	log default {
		output stderr
		level ERROR
		format llm_safe
	}
	log requests {
		output file %s
		include http.handlers.llm_auth_quota.request
	}
}

http://:%s {
	bind %s
	handle /metrics {
		metrics
	}
	handle {
		llm_gateway {
			auth users %s
			quota embedded %s
			backend internal vllm %s {
				models %s
				native_messages
			}
`, quoted("unix/"+filepath.Join(dir, adminSocket)+"|0600"), quoted(filepath.Join(dir, "caddy")), quoted(filepath.Join(dir, "requests.log")),
		port, host, quoted(filepath.Join(dir, usersFile)), quoted(filepath.Join(dir, "quota")), model.url, models(model))
	if model.names[0] != vllmsim.DefaultModel {
		writeTiers(&b, model.names[0])
	}
	b.WriteString("\t\t}\n\t}\n}\n")
	return caddyfile.Format(b.Bytes())
}

// writeTiers gives every plan the one real model: the mission's routes lead to
// qwen3-32b, which is not there.
func writeTiers(b *bytes.Buffer, model string) {
	for _, t := range demoUsers {
		fmt.Fprintf(b, "\t\t\ttier %s {\n\t\t\t\tlimit %s\n\t\t\t\tallow internal\n\t\t\t\tdefault %s\n\t\t\t}\n", t.tier, t.limit, model)
	}
}

func models(m *devModel) string {
	var b bytes.Buffer
	for i, name := range m.names {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name)
	}
	return b.String()
}

// quoted writes a path as one Caddyfile token.
func quoted(s string) string { return "`" + s + "`" }
