package embedded

import "github.com/openova-io/llm-gateway/quota"

// words are what the ledger calls results.
var words = map[quota.Result]string{quota.Done: "DONE", quota.Kept: "KEPT", quota.Late: "LATE"}

// settle ends one reservation. Only the first settlement of an id does
// anything but leave a tombstone.
func settle(r *record, st *quota.Settlement, now int64) (quota.Result, change) {
	v, ok := r.reservations[st.ID]
	if !ok { // the reserve may still be on its way
		tomb := reservation{life: gone, expiry: now + tombstoneLife}
		return quota.Unknown, change{set: []namedReservation{{st.ID, tomb}}}
	}
	if v.life == gone {
		return quota.Unknown, change{}
	}
	s := settlement{Settlement: st, back: st.Mode != quota.Charge, first: -1}
	s.count(r, &v)
	c := change{deleted: []string{st.ID}}
	for i := range v.shares {
		if w, ok := r.windows[v.shares[i].window]; ok && w.start != 0 { // a rate is never given back
			if s.one(i, &v, &w) {
				c.windows = append(c.windows, namedCounter{v.shares[i].window, w})
			}
		}
	}
	result := quota.Done
	switch {
	case s.kept:
		result = quota.Kept
	case v.life == ended:
		result = quota.Late
	}
	if st.Line != "" {
		c.line = &line{at: max(now, r.lastLine()+1), text: words[result] + " " + string(st.Mode) + " " + st.Line}
	}
	return result, c
}

// settlement is one settlement while its windows are gone through.
type settlement struct {
	*quota.Settlement
	back   bool // something is to be given back
	capped bool // but the refund cap is reached
	kept   bool // a charge stays that was asked back
	first  int  // the share whose window counts this refund; -1: none
}

// count finds the first window that is not a rate: how often charges were
// given back is counted there, in the bucket that took the charge. Those of
// which nothing came are not counted.
func (s *settlement) count(r *record, v *reservation) {
	if !s.back || s.Mode == quota.Void {
		return
	}
	for i := range v.shares {
		if w, ok := r.windows[v.shares[i].window]; ok && w.start != 0 {
			if w.start > v.at {
				return // an ended bucket's refund is none of this one's
			}
			s.first = i
			s.capped = *w.refunds(s.Mode) >= s.RefundCap
			s.kept = s.capped
			return
		}
	}
}

// refunds is the counter of the mode.
func (w *counter) refunds(m quota.Mode) *int64 {
	if m == quota.Abandon {
		return &w.refundsC
	}
	return &w.refundsF
}

// one settles one share and reports whether its window changed.
func (s *settlement) one(i int, v *reservation, w *counter) bool {
	sh := &v.shares[i]
	held := sh.amount
	if v.life == ended {
		held = sh.floor
	}
	running := w.start <= v.at // still the bucket it was charged to
	undo := s.back && !s.capped
	if undo && running && sh.amount > 0 && w.credit < sh.change { // somebody rode on this turn
		undo, s.kept = false, true
	}
	target := s.target(sh, undo)
	if running {
		w.used = max(0, w.used+target-held)
		if undo {
			w.credit = max(0, w.credit-sh.change)
		}
	}
	if undo && i == s.first {
		*w.refunds(s.Mode)++
	}
	return s.back || target != held
}

// target is what the share shall be charged in the end.
func (s *settlement) target(sh *share, undo bool) int64 {
	actual, named := s.Actual[sh.window]
	switch {
	case s.back && !undo:
		return max(actual, sh.amount) // the charge stays, whatever was counted
	case named:
		return actual
	case undo:
		return 0
	default:
		return sh.amount
	}
}
