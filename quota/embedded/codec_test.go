package embedded

import (
	"errors"
	"reflect"
	"testing"
)

// full is a change with something of everything.
func full() change {
	return change{
		windows: []namedCounter{{"day/requests", counter{1, 2, 3, 4, 5, 6}}, {"w", counter{used: 1 << 50}}},
		set: []namedReservation{
			{"id", reservation{life: live, expiry: 7, at: 8, shares: []share{{"day/requests", 9, 10, -11}}}},
			{"tomb", reservation{life: gone, expiry: 12}},
		},
		deleted: []string{"x", "y"},
		line:    &line{at: 13, text: "DONE s line"},
		keep:    50,
	}
}

func TestCodec(t *testing.T) {
	for _, want := range []change{{}, full(), {deleted: []string{"id"}}} {
		subject, got, err := decode(encode(nil, "subject", &want))
		if err != nil || subject != "subject" || !reflect.DeepEqual(got, want) {
			t.Errorf("decode(encode(%+v)) = %q, %+v, %v", want, subject, got, err)
		}
	}
}

// Whatever is read, decode returns; what it accepts, it would write again.
func FuzzDecode(f *testing.F) {
	c := full()
	f.Add(encode(nil, "subject", &c))
	f.Add([]byte{layout})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		subject, c, err := decode(b)
		if err != nil {
			if !errors.Is(err, errLayout) {
				t.Errorf("decode = %v", err)
			}
			return
		}
		newRecord().apply(&c)
		s2, c2, err := decode(encode(nil, subject, &c))
		if err != nil || s2 != subject || !reflect.DeepEqual(c, c2) {
			t.Errorf("%x: %+v does not survive: %+v, %v", b, c, c2, err)
		}
	})
}

// Every prefix of a record is refused, never half applied.
func TestDecodeTorn(t *testing.T) {
	c := full()
	whole := encode(nil, "subject", &c)
	withoutLine := c
	withoutLine.line = nil
	end := len(encode(nil, "subject", &withoutLine))
	for n := range whole {
		if _, _, err := decode(whole[:n]); err == nil && n != end {
			t.Errorf("the first %d of %d bytes were accepted", n, len(whole))
		}
	}
}

// A snapshot may say what the journal says again: applying twice is once.
func TestApplyTwice(t *testing.T) {
	once, twice := newRecord(), newRecord()
	c := full()
	once.apply(&c)
	twice.apply(&c)
	twice.apply(&c)
	if !reflect.DeepEqual(once, twice) {
		t.Errorf("once %+v, twice %+v", once, twice)
	}
}
