// Package hist is a small log-linear histogram: 64 linear buckets per power of
// two, so any reported value is within 1.6 % of the recorded one.
package hist

import "math/bits"

const (
	subBits = 6
	sub     = 1 << subBits
	powers  = 40 // covers 1 ns .. ~18 h
)

// H counts int64 values (nanoseconds, by convention). The zero value is ready.
type H struct {
	n     [powers * sub]uint32
	count uint64
	sum   float64
	max   int64
}

func index(v int64) int {
	if v < 0 {
		v = 0
	}
	if v < sub {
		return int(v)
	}
	p := bits.Len64(uint64(v)) - 1 - subBits
	i := (p+1)*sub + int(v>>uint(p)) - sub
	if i >= powers*sub {
		i = powers*sub - 1
	}
	return i
}

func value(i int) int64 {
	if i < sub {
		return int64(i)
	}
	p := i/sub - 1
	return (int64(i%sub)+sub)<<uint(p) + (int64(1)<<uint(p))/2
}

// Add records one value; a negative value counts as zero.
func (h *H) Add(v int64) {
	h.n[index(v)]++
	h.count++
	h.sum += float64(v)
	if v > h.max {
		h.max = v
	}
}

// Merge adds all of o's counts to h.
func (h *H) Merge(o *H) {
	for i, c := range o.n {
		h.n[i] += c
	}
	h.count += o.count
	h.sum += o.sum
	if o.max > h.max {
		h.max = o.max
	}
}

// Quantile returns the value at q in [0,1].
func (h *H) Quantile(q float64) int64 {
	if h.count == 0 {
		return 0
	}
	want := uint64(q*float64(h.count) + 0.5)
	if want < 1 {
		want = 1
	}
	var seen uint64
	for i, c := range h.n {
		seen += uint64(c)
		if seen >= want {
			if v := value(i); v < h.max {
				return v
			}
			return h.max
		}
	}
	return h.max
}

// Summary holds the usual percentiles, in microseconds.
type Summary struct {
	N    uint64  `json:"n"`
	Mean float64 `json:"mean_us"`
	P50  float64 `json:"p50_us"`
	P90  float64 `json:"p90_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
	Max  float64 `json:"max_us"`
}

// Summary reads the percentiles off, taking recorded values as nanoseconds.
func (h *H) Summary() Summary {
	us := func(v int64) float64 { return float64(v) / 1e3 }
	s := Summary{
		N: h.count, P50: us(h.Quantile(.5)), P90: us(h.Quantile(.9)), P99: us(h.Quantile(.99)),
		P999: us(h.Quantile(.999)), Max: us(h.max),
	}
	if h.count > 0 {
		s.Mean = h.sum / float64(h.count) / 1e3
	}
	return s
}
