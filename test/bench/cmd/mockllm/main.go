// Command mockllm is a fast stand-in for the Anthropic and OpenAI APIs, and for
// the public side of an OIDC issuer. It speaks HTTP/1.1 by hand so that it costs
// little CPU beside the gateway under test, and it binds to loopback only.
//
// A request tells it what to do with a marker anywhere in its body:
//
//	[[mock n=200 gap=5 size=512]]
//
// n: streamed text events, gap: milliseconds between two, size: bytes of text in
// a non-streaming answer. Every streamed text carries its send time as @T<19
// digits>@ (Unix nanoseconds), which loadgen reads to compute per-event delay.
package main

import (
	"flag"
	"log"
	"net"
	"sync"
	"sync/atomic"
)

var (
	addr     = flag.String("addr", "127.0.0.1:9100", "loopback address to listen on")
	jwksFile = flag.String("jwks", "", "JWKS file served at /realms/llm/protocol/openid-connect/certs")
	models   = flag.String("models", "claude-3-opus,claude-3-haiku,qwen3-32b,gpt-4o-mini", "ids listed by /v1/models")
	pad      = flag.Int("pad", 0, "extra bytes of text in each streamed event")
)

var stats struct {
	requests, streams, events atomic.Int64
	byModel                   sync.Map // model -> *atomic.Int64
}

func main() {
	flag.Parse()
	host, _, err := net.SplitHostPort(*addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		log.Fatalf("mockllm: -addr %q is no loopback address", *addr)
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(c)
	}
}
