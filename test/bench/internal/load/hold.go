package load

import (
	"sync"
	"time"
)

func hold(s *Spec, ws []*worker) (*Result, error) {
	var wg, ready sync.WaitGroup
	begin := time.Now()
	ready.Add(len(ws))
	for i, w := range ws {
		wg.Add(1)
		var once sync.Once
		w.record = true
		w.held = func() { once.Do(ready.Done) }
		go func() {
			defer wg.Done()
			defer w.closeConn()
			defer w.held()
			time.Sleep(time.Duration(i) * 2 * time.Millisecond) // no thundering herd
			if err := w.try(time.Now(), begin.Add(s.Duration)); err != nil && !w.sawEvent {
				w.errs++
				w.first = err
			} else if w.sawEvent {
				w.ok = 1
			}
		}()
	}
	ready.Wait()
	if s.OnHeld != nil {
		s.OnHeld()
	}
	select {
	case <-s.Release:
	case <-time.After(time.Until(begin.Add(s.Duration))):
	}
	for _, w := range ws {
		if c := w.c; c != nil {
			c.SetDeadline(time.Unix(1, 0))
		}
	}
	wg.Wait()
	return sum(s, ws, time.Since(begin)), nil
}
