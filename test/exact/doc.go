// Package exact proves on the real gateway binary that charges are exact: four
// processes race on one redis-server, gateways and servers are killed, clients
// leave at every stage. Its tests carry the build tag `exact`; `make exact` runs
// them, as often as TRIALS says.
//
// It decides whether what stands in a counter is what callers got. It reads
// Redis by itself and does not know how the gateway counts; it only talks to it.
package exact
