// Package store holds what every store of the gateway needs whatever it keeps:
// a [Breaker] for one that does not answer, and a [Pool] that shares open
// stores between configurations and closes each only when it has been quiet.
//
// It knows neither what is stored nor where: connections to a server are
// internal/store/redis, files of one process are internal/store/embedded.
package store
