package embedded

import (
	"encoding/binary"
	"errors"
)

// A journal record is a subject and a change. Numbers are varints, words are a
// length and bytes; the first byte is the layout's version.
const layout = 1

var errLayout = errors.New("quota journal: a record of another version or shape")

// encode appends the record of a change.
func encode(dst []byte, subject string, c *change) []byte {
	dst = append(dst, layout)
	dst = word(dst, subject)
	dst = number(dst, int64(len(c.windows)))
	for i := range c.windows {
		w := &c.windows[i]
		dst = word(dst, w.name)
		for _, n := range [...]int64{w.used, w.start, w.end, w.refundsF, w.credit, w.refundsC} {
			dst = number(dst, n)
		}
	}
	dst = number(dst, int64(len(c.set)))
	for i := range c.set {
		dst = encodeReservation(dst, &c.set[i])
	}
	dst = number(dst, int64(len(c.deleted)))
	for _, id := range c.deleted {
		dst = word(dst, id)
	}
	if c.line != nil {
		dst = number(dst, int64(c.keep))
		dst = number(dst, c.line.at)
		dst = word(dst, c.line.text)
	}
	return dst
}

func encodeReservation(dst []byte, v *namedReservation) []byte {
	dst = word(dst, v.id)
	dst = append(dst, byte(v.life))
	dst = number(dst, v.expiry)
	dst = number(dst, v.at)
	dst = number(dst, int64(len(v.shares)))
	for i := range v.shares {
		s := &v.shares[i]
		dst = word(dst, s.window)
		dst = number(dst, s.amount)
		dst = number(dst, s.floor)
		dst = number(dst, s.change)
	}
	return dst
}

func word(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func number(dst []byte, n int64) []byte { return binary.AppendVarint(dst, n) }

// decoder takes values off the front of a record. After the first fault it
// returns zero values.
type decoder struct {
	rest []byte
	bad  bool
}

// decode reads what encode wrote.
func decode(b []byte) (subject string, c change, err error) {
	d := decoder{rest: b}
	if d.byte() != layout {
		return "", c, errLayout
	}
	subject = d.word()
	for range d.count() {
		w := namedCounter{name: d.word()}
		for _, p := range [...]*int64{&w.used, &w.start, &w.end, &w.refundsF, &w.credit, &w.refundsC} {
			*p = d.number()
		}
		c.windows = append(c.windows, w)
	}
	for range d.count() {
		c.set = append(c.set, d.reservation())
	}
	for range d.count() {
		c.deleted = append(c.deleted, d.word())
	}
	if len(d.rest) > 0 {
		c.keep = int(d.number())
		c.line = &line{at: d.number(), text: d.word()}
		d.bad = d.bad || c.keep <= 0
	}
	if d.bad || len(d.rest) > 0 {
		return "", change{}, errLayout
	}
	return subject, c, nil
}

func (d *decoder) reservation() namedReservation {
	v := namedReservation{id: d.word()}
	v.life, v.expiry, v.at = life(d.byte()), d.number(), d.number()
	for range d.count() {
		v.shares = append(v.shares, share{window: d.word(), amount: d.number(), floor: d.number(), change: d.number()})
	}
	return v
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.rest, d.bad = nil, true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// count is a number of things that follow, each at least a byte long.
func (d *decoder) count() int {
	n := d.number()
	if n < 0 || n > int64(len(d.rest)) {
		d.rest, d.bad = nil, true
		return 0
	}
	return int(n)
}

func (d *decoder) word() string {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > uint64(len(d.rest)-size) {
		d.rest, d.bad = nil, true
		return ""
	}
	s := string(d.rest[size : size+int(n)])
	d.rest = d.rest[size+int(n):]
	return s
}
