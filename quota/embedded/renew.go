package embedded

import "github.com/openova-io/llm-gateway/quota"

// renew prolongs a lease that still runs. One that ran out stays out: its slot
// may be someone else's, and its settle is late but still correct.
func renew(r *record, l *quota.Lease, now int64) (alive bool, c change) {
	v, ok := r.reservations[l.ID]
	if !ok || v.life != live {
		return false, c
	}
	v.expiry = now + max(1, l.Lease.Milliseconds())
	c.set = []namedReservation{{l.ID, v}}
	return true, c
}

// read adds the record up as it would stand after a reservation now.
func read(r *record, now int64) quota.Record {
	pending := sweep(r, now)
	out := quota.Record{Now: now, Windows: make(map[string]quota.RecordWindow, len(r.windows))}
	for name, w := range r.windows {
		out.Windows[name] = w.shown()
	}
	for i := range pending.windows {
		out.Windows[pending.windows[i].name] = pending.windows[i].shown()
	}
	for _, v := range r.reservations {
		if v.life != live || v.expiry <= now {
			continue
		}
		out.InFlight++
		for _, s := range v.shares {
			if w, ok := out.Windows[s.window]; ok && w.Start != 0 && w.Start <= v.at {
				w.Reserved += s.amount
				out.Windows[s.window] = w
			}
		}
	}
	return out
}

// shown is the counter as records show it: a rate has no bucket, its used is a
// time.
func (w *counter) shown() quota.RecordWindow {
	if w.start == 0 {
		return quota.RecordWindow{End: w.end}
	}
	return quota.RecordWindow{Used: w.used, Start: w.start, End: w.end}
}
