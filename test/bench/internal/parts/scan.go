package parts

import (
	"bufio"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// errNoSpeed means that no benchmark line names its speed.
var errNoSpeed = errors.New("no MB/s in the benchmark's output")

// ScanSpeed returns the median speed, in 10^9 bytes a second, of the benchmark
// lines that `go test -bench` printed.
func ScanSpeed(lines *bufio.Scanner) (float64, error) {
	var speeds []float64
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		unit := slices.Index(fields, "MB/s")
		if unit < 1 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		v, err := strconv.ParseFloat(fields[unit-1], 64)
		if err != nil {
			return 0, err
		}
		speeds = append(speeds, v/1000)
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	if len(speeds) == 0 {
		return 0, errNoSpeed
	}
	slices.Sort(speeds)
	return speeds[len(speeds)/2], nil
}
