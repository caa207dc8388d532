//go:build race

package respw_test

// raceDetector: with it, sync.Pool drops values at random, so that allocations
// and memory cannot be counted.
const raceDetector = true
