package embedded

// source is the store as its journal sees it.
type source Store

// Load applies one journal record.
func (s *source) Load(b []byte) error {
	subject, c, err := decode(b)
	if err != nil {
		return err
	}
	sh := (*Store)(s).shard(subject)
	r, ok := sh.records[subject]
	if !ok {
		r = newRecord()
		sh.records[subject] = r
	}
	r.apply(&c)
	return nil
}

// Dump writes all records. Each shard is locked while it is written, so that a
// change is either in the dump or appended after its shard was dumped.
func (s *source) Dump(write func([]byte) error) error {
	for i := range s.shards {
		if err := s.shards[i].dump(write); err != nil {
			return err
		}
	}
	return nil
}

func (sh *shard) dump(write func([]byte) error) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for subject, r := range sh.records {
		var c change
		for name, w := range r.windows {
			c.windows = append(c.windows, namedCounter{name, w})
		}
		for id, v := range r.reservations {
			c.set = append(c.set, namedReservation{id, v})
		}
		sh.buf = encode(sh.buf[:0], subject, &c)
		if err := write(sh.buf); err != nil {
			return err
		}
		for i := range r.ledger {
			sh.buf = encode(sh.buf[:0], subject, &change{line: &r.ledger[i], keep: ledgerLines})
			if err := write(sh.buf); err != nil {
				return err
			}
		}
	}
	return nil
}
