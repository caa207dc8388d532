//go:build exact

package exact

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

const (
	// defaultTrials is how often everything is tried without TRIALS.
	defaultTrials = 20
	// lease is how long a charge outlives a killed gateway here; in production
	// it is a minute.
	lease = 2 * time.Second
	// afterLease is when every lease of a gateway that was killed has ended.
	afterLease = lease + 250*time.Millisecond
	// settling is how long the counters may take to show how requests ended.
	settling = time.Second
)

// TestExact tries every race, crash and fault, each time on new counters. A
// trial is exact if every assertion in it held.
func TestExact(t *testing.T) {
	trials := trialsFromEnv(t)
	keepInMemory(t)
	start := time.Now()
	var all figures
	exact := 0
	for i := range trials {
		if t.Run(fmt.Sprintf("trial %02d", i+1), func(t *testing.T) { trial(t, i, &all) }) {
			exact++
		}
	}
	t.Logf("exact: %d of %d exact (%s; %d s)", exact, trials, &all, int(time.Since(start).Seconds()))
}

// trial runs every part once. Parts on one redis-server have a person each.
func trial(t *testing.T, number int, all *figures) {
	sync := "everysec"
	if number%2 == 1 {
		sync = "always"
	}
	f := newFleet(t, sync, all)
	t.Run("limit 10", func(t *testing.T) { f.race(t, "ten", 10, 400) })
	t.Run("limit 1000", func(t *testing.T) { f.race(t, "thousand", 1000, 1600) })
	t.Run("clients leave", f.leave)
	t.Run("clients leave at any moment", f.storm)
	t.Run("caps on refunds", f.caps)
	t.Run("redis killed", f.outage)
	t.Run("gateway killed", f.kill)
	t.Run("gateway killed under load", f.killUnderLoad)
	t.Run("embedded, killed", func(t *testing.T) { embeddedKill(t, all) })
	t.Run("embedded, killed under load", func(t *testing.T) { embeddedUnderLoad(t, all) })
}

// keepInMemory puts the files of the servers on a file system in memory, where
// there is one. A process that is killed loses no more there than on a disk,
// and a disk that is busy with something else, and then stalls a store for
// longer than the short lease, is not what is tried here.
func keepInMemory(t *testing.T) {
	t.Helper()
	const memory = "/dev/shm"
	probe, err := os.MkdirTemp(memory, "exact")
	if err != nil {
		return // none here: the disk has to do
	}
	if err := os.Remove(probe); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", memory)
}

func trialsFromEnv(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TRIALS")
	if text == "" {
		return defaultTrials
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("TRIALS is %q, want a number of trials", text)
	}
	return n
}

// figures add up what all trials did, for the last line.
type figures struct {
	requests, answers int
	unavailable       int           // refused, though the store was there: it did not answer in time
	gateways, redises int           // killed
	lost              int           // answers that came back: killed before they were settled
	recovery          time.Duration // the longest, from a server that is back to a gateway that answers
}

func (f *figures) String() string {
	return fmt.Sprintf("%d requests, %d answered, %d tried again because the store was slow; kill -9 of %d gateways, which had not settled %d answers, and of %d redis-servers; slowest recovery %d ms",
		f.requests, f.answers, f.unavailable, f.gateways, f.lost, f.redises, f.recovery.Milliseconds())
}

func (f *figures) add(n tally) {
	f.requests += n.total()
	f.answers += n.answered
	f.unavailable += n.unavailable
}
