// Package proc reads CPU time and memory of process groups from /proc (Linux).
package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const ticksPerSecond = 100 // USER_HZ on every Linux that Go supports

// Group lists the processes of one process group (a target and its children).
func Group(pgid int) []int {
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(d))
		if f := stat(pid); len(f) > 2 && f[2] == strconv.Itoa(pgid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat returns the fields after the command name: state, ppid, pgrp, ...
func stat(pid int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// CPU is the user+system seconds that the processes have used so far.
func CPU(pids []int) float64 {
	var t int64
	for _, p := range pids {
		if f := stat(p); len(f) > 12 {
			u, _ := strconv.ParseInt(f[11], 10, 64)
			s, _ := strconv.ParseInt(f[12], 10, 64)
			t += u + s
		}
	}
	return float64(t) / ticksPerSecond
}

// Memory sums resident and peak resident bytes of the processes.
func Memory(pids []int) (rss, peak int64) {
	for _, p := range pids {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(p) + "/status")
		if err != nil {
			continue
		}
		for _, l := range strings.Split(string(b), "\n") {
			k, v, _ := strings.Cut(l, ":")
			if k == "VmRSS" || k == "VmHWM" {
				n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
				if k == "VmRSS" {
					rss += n << 10
				} else {
					peak += n << 10
				}
			}
		}
	}
	return
}

// ResetPeak makes the next Memory peak start from now.
func ResetPeak(pids []int) {
	for _, p := range pids {
		_ = os.WriteFile("/proc/"+strconv.Itoa(p)+"/clear_refs", []byte("5"), 0)
	}
}

// Busy is the CPU seconds that the whole machine has used so far.
func Busy() float64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	l, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(l)
	var t int64
	for i, v := range f {
		// user nice system (skip idle, iowait) irq softirq steal
		if i == 1 || i == 2 || i == 3 || i == 6 || i == 7 || i == 8 {
			n, _ := strconv.ParseInt(v, 10, 64)
			t += n
		}
	}
	return float64(t) / ticksPerSecond
}

// Machine names the processor and counts its cores.
func Machine() (cpu string, cores int) {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", 0
	}
	if _, rest, ok := strings.Cut(string(b), "model name"); ok {
		line, _, _ := strings.Cut(rest, "\n")
		_, cpu, _ = strings.Cut(line, ":")
	}
	return strings.TrimSpace(cpu), strings.Count(string(b), "processor\t")
}
