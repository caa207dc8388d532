// Package load drives HTTP/1.1 keep-alive load at one address and measures it.
// It writes and parses HTTP by hand, so that the client costs little CPU beside
// the gateway under test. Every run is bounded in time and in requests.
package load

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"llmgwbench/internal/hist"
)

// Spec says what load to make.
type Spec struct {
	URL      string            // http or https; the host must be a loopback address
	Headers  map[string]string // sent on every request
	Tokens   []string          // if set, connection i sends "Authorization: Bearer Tokens[i % len]"
	Body     []byte
	Conns    int
	Rate     float64 // requests a second over all connections; 0 = closed loop
	Duration time.Duration
	Warmup   time.Duration // not recorded
	Max      int64         // at most this many requests, 0 = no cap but Duration
	Hold     bool          // open Conns streams, wait for their first event, hold them until Release is closed
	Release  <-chan struct{}
	OnHeld   func() // called once all streams are held (or have failed)
}

// Result is one run's outcome.
type Result struct {
	Conns     int           `json:"conns"`
	Rate      float64       `json:"rate,omitempty"`
	Seconds   float64       `json:"seconds"`
	Requests  int64         `json:"requests"`
	Total     int64         `json:"total"` // good answers, warm-up included
	Errors    int64         `json:"errors"`
	Redials   int64         `json:"redials"`
	Status    map[int]int64 `json:"status"`
	FirstErr  string        `json:"first_error,omitempty"`
	RPS       float64       `json:"rps"`
	BodyBytes int           `json:"request_body_bytes"`
	Latency   hist.Summary  `json:"latency"`
	TTFT      *hist.Summary `json:"ttft,omitempty"`
	Event     *hist.Summary `json:"event_delay,omitempty"`
	Jitter    *hist.Summary `json:"gap_error,omitempty"`
	Events    int64         `json:"events,omitempty"`
	AllEvents int64         `json:"all_events,omitempty"` // warm-up included
	EventRate float64       `json:"events_per_s,omitempty"`
}

// Run makes the load and returns what it measured.
func Run(s Spec) (*Result, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(u.Hostname())
	if ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("load: %q is no loopback address", u.Hostname())
	}
	if s.Conns < 1 || s.Duration <= 0 || s.Duration > 10*time.Minute {
		return nil, errors.New("load: need conns >= 1 and 0 < duration <= 10m")
	}
	ws := make([]*worker, s.Conns)
	for i := range ws {
		ws[i] = &worker{spec: &s, addr: u.Host, tls: u.Scheme == "https", head: request(u, &s, i), status: map[int]int64{}, buf: make([]byte, 32<<10)}
	}
	if s.Hold {
		return hold(&s, ws)
	}
	begin := time.Now().Add(20 * time.Millisecond)
	from, end := begin.Add(s.Warmup), begin.Add(s.Warmup+s.Duration)
	var issued atomic.Int64
	var ticks chan time.Time
	if s.Rate > 0 {
		ticks = make(chan time.Time, int(s.Rate*(s.Duration+s.Warmup).Seconds())+16)
		go pace(ticks, begin, end, s.Rate)
	}
	var wg sync.WaitGroup
	for _, w := range ws {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer w.closeConn()
			time.Sleep(time.Until(begin))
			for {
				intended := time.Now()
				if ticks != nil {
					t, ok := <-ticks
					if !ok {
						return
					}
					intended = t
				} else if !intended.Before(end) {
					return
				}
				if s.Max > 0 && issued.Add(1) > s.Max {
					return
				}
				// An open-loop queue that never drains ends at twice the run's length.
				if time.Since(begin) > 2*(s.Duration+s.Warmup) {
					return
				}
				w.record = !intended.Before(from)
				w.one(intended, end.Add(15*time.Second))
			}
		}()
	}
	wg.Wait()
	return sum(&s, ws, time.Since(from)), nil
}

// pace hands out intended send times at a constant rate from an OS thread of its
// own: Go's own timers round to a millisecond when the process is idle.
func pace(ticks chan<- time.Time, begin, end time.Time, rate float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const prSetTimerslack = 29
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerslack, 1000, 0)
	defer close(ticks)
	step := float64(time.Second) / rate
	for i := 0; ; i++ {
		t := begin.Add(time.Duration(float64(i) * step))
		if !t.Before(end) {
			return
		}
		if d := time.Until(t); d > 0 {
			ts := syscall.NsecToTimespec(int64(d))
			_ = syscall.Nanosleep(&ts, nil)
		}
		ticks <- t
	}
}

func request(u *url.URL, s *Spec, i int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: llmgwbench\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", u.RequestURI(), u.Host, len(s.Body))
	for k, v := range s.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", k, v)
	}
	if len(s.Tokens) > 0 {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", s.Tokens[i%len(s.Tokens)])
	}
	b.WriteString("\r\n")
	b.Write(s.Body)
	return b.Bytes()
}

func sum(s *Spec, ws []*worker, took time.Duration) *Result {
	r := &Result{Conns: s.Conns, Rate: s.Rate, Seconds: took.Seconds(), Status: map[int]int64{}, BodyBytes: len(s.Body)}
	var lat, ttft, event, jitter hist.H
	for _, w := range ws {
		lat.Merge(&w.latency)
		ttft.Merge(&w.ttft)
		event.Merge(&w.event)
		jitter.Merge(&w.jitter)
		r.Requests += w.ok
		r.Total += w.total
		r.AllEvents += w.all
		r.Errors += w.errs
		r.Redials += w.redials
		r.Events += w.events
		for k, v := range w.status {
			r.Status[k] += v
		}
		if r.FirstErr == "" && w.first != nil {
			r.FirstErr = w.first.Error()
		}
	}
	r.Redials -= int64(s.Conns)
	r.RPS = float64(r.Requests) / took.Seconds()
	r.Latency = lat.Summary()
	if r.Events > 0 {
		t, e, j := ttft.Summary(), event.Summary(), jitter.Summary()
		r.TTFT, r.Event, r.Jitter = &t, &e, &j
		r.EventRate = float64(r.Events) / took.Seconds()
	}
	return r
}
