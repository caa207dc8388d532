//go:build !race

package respw_test

const raceDetector = false
