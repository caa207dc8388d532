// Package record is what one measured run leaves behind, and the file that a
// whole measurement is kept in. It knows nothing about how a run is made or
// judged.
package record

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"llmgwbench/internal/load"
)

// Record is one run of one scenario against one target.
type Record struct {
	Target   string       `json:"target"`
	Scenario string       `json:"scenario"`
	Protocol string       `json:"protocol"`
	Round    int          `json:"round"` // from 1; runs of one round may be compared
	Result   *load.Result `json:"result"`

	// CPU is the user and system time of the target's processes, in seconds,
	// the warm-up included.
	CPU           float64            `json:"cpu_s"`
	CPUPerRequest float64            `json:"cpu_us_per_request"` // µs a good answer
	CPUPerEvent   float64            `json:"cpu_us_per_event,omitempty"`
	ServiceCPU    map[string]float64 `json:"service_cpu_us_per_request,omitempty"` // µs, apart

	RSS       int64 `json:"rss_before_bytes"`
	Peak      int64 `json:"rss_peak_bytes"`
	PerStream int64 `json:"rss_per_idle_stream_bytes,omitempty"`

	// ForeignCores is how many cores processes outside the run kept busy.
	ForeignCores float64   `json:"foreign_cores"`
	When         time.Time `json:"when"`
}

// File is a whole measurement.
type File struct {
	Machine Machine  `json:"machine"`
	Args    []string `json:"args"`
	Runs    []Record `json:"runs"`
}

// Machine is where it was made.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
}

// Write replaces the file at path.
func (f *File) Write(path string) error {
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// Read returns the runs of all files, in order.
func Read(paths ...string) ([]Record, error) {
	var all []Record
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var f File
		if err := json.Unmarshal(b, &f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, f.Runs...)
	}
	return all, nil
}
