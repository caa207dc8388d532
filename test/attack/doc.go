// Package attack drives the security cases against the real gateway binary: a
// realm with keys of its own, a real redis-server and upstream stubs that note
// what reaches them. Its tests carry the build tag `attack`; `make attack` runs
// them.
//
// It decides whether an attack got through: whether something reached an
// upstream, a counter, a log or an answer that must not. It does not know how
// the gateway is built; it only talks to it.
package attack
