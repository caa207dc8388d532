package queue

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// Each byte is one step of a caller; whatever the steps are, nobody is served
// twice and the gate ends as it began.
func FuzzGate(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte("acquire, grow, leave and release in any order"))
	f.Add([]byte{0x00, 0x40, 0x80, 0xc0, 0x01, 0x41, 0x81, 0xc1, 0xff, 0x3f})
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) > 200 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			g := NewGate(64, 3)
			for _, step := range steps {
				switch step >> 6 {
				case 0, 1:
					go visit(t.Context(), g, step)
				case 2:
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(step&7)*time.Millisecond)
					go func() {
						defer cancel()
						visit(ctx, g, step)
					}()
				default:
					time.Sleep(time.Duration(step&15) * time.Millisecond)
				}
				if free := g.Free(); free < 0 || free > 64 {
					t.Fatalf("free = %d; want 0 to 64", free)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			checkEmpty(t, g)
		})
	})
}

// visit acquires, grows and releases with amounts taken from the step.
func visit(ctx context.Context, g *Gate, step byte) {
	h, err := g.Acquire(ctx, strconv.Itoa(int(step&3)), 1+int(step>>2&1), int64(step&63)/2, 20*time.Millisecond)
	if err != nil {
		return
	}
	defer h.Release()
	time.Sleep(time.Duration(step&7) * time.Millisecond)
	if h.Grow(ctx, int64(step&31), 5*time.Millisecond) != nil {
		return
	}
	time.Sleep(time.Duration(step>>3&7) * time.Millisecond)
}
