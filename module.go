// Package llmgateway is an LLM gateway as a set of Caddy modules.
package llmgateway
