package main

import (
	"time"

	"llmgwbench/internal/load"
)

// scenario is one kind of load.
type scenario struct {
	name  string
	body  load.BodySpec
	conns int
	rate  float64 // requests a second; 0: a closed loop
	secs  float64
	hold  bool // streams that stay open and silent
}

// warmup is how long a load runs before it is measured.
const warmup = 700 * time.Millisecond

// holdRounds is how often idle streams are held: memory hardly varies, and each
// time costs a restart.
const (
	holdRounds = 3
	holdTakes  = 9 * time.Second // about, with the restart
)

func scenarios(secs float64) []scenario {
	small := load.BodySpec{Size: 1000, Answer: 512}
	big := load.BodySpec{Size: 150_000, Answer: 512}
	bigLast := big
	bigLast.ModelLast = true
	b2b := load.BodySpec{Size: 1000, Stream: true, Events: 200}
	paced := load.BodySpec{Size: 1000, Stream: true, Events: 200, GapMS: 5}
	idle := load.BodySpec{Size: 1000, Stream: true, Events: 2, GapMS: 600_000}
	return []scenario{
		{name: "small-c1", body: small, conns: 1, secs: secs},
		{name: "small-c16", body: small, conns: 16, secs: secs},
		{name: "small-c64", body: small, conns: 64, secs: secs},
		{name: "small-c256", body: small, conns: 256, secs: secs},
		{name: "small-r100", body: small, conns: 32, rate: 100, secs: max(secs, 4)},
		{name: "small-r400", body: small, conns: 32, rate: 400, secs: max(secs, 4)},
		{name: "small-r1000", body: small, conns: 64, rate: 1000, secs: secs},
		{name: "big-c16", body: big, conns: 16, secs: secs},
		{name: "big-r50", body: big, conns: 16, rate: 50, secs: max(secs, 4)},
		{name: "biglast-c16", body: bigLast, conns: 16, secs: secs},
		{name: "stream-b2b", body: b2b, conns: 16, secs: secs},
		{name: "stream-5ms", body: paced, conns: 100, secs: max(secs, 3)},
		{name: "idle-1000", body: idle, conns: 1000, hold: true, secs: 30},
	}
}
