package quota

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestEntryReadsBack(t *testing.T) {
	at := time.UnixMilli(1795478400123).UTC()
	for _, tc := range []struct {
		name   string
		prefix string
		entry  Entry
		want   Entry
	}{
		{
			name: "answered", prefix: "1795478400123 DONE s ",
			entry: Entry{Model: "claude-haiku-4-5", Why: "answered", RequestID: "req_1"},
			want:  Entry{At: at, Change: -1, Unit: Requests, Model: "claude-haiku-4-5", Why: "answered", RequestID: "req_1"},
		},
		{
			name: "given back", prefix: "1795478400123 DONE f ",
			entry: Entry{Why: "refunded: upstream 529", RequestID: "req_2"},
			want:  Entry{At: at, Unit: Requests, Why: "refunded: upstream 529", RequestID: "req_2"},
		},
		{
			name: "the cap was reached", prefix: "1795478400123 KEPT c ",
			entry: Entry{Why: "client left"},
			want:  Entry{At: at, Change: -1, Unit: Requests, Why: "client left"},
		},
		{
			name: "answered after the lease", prefix: "1795478400123 LATE s ",
			entry: Entry{Why: "answered"},
			want:  Entry{At: at, Change: -1, Unit: Requests, Why: "answered"},
		},
		{
			name: "nothing said", prefix: "1795478400123 DONE s ",
			want: Entry{At: at, Change: -1, Unit: Requests},
		},
		{
			name: "hostile words", prefix: "1795478400123 DONE s ",
			entry: Entry{Model: "a b\nc", Why: "two\nlines\x00 and\xff more", RequestID: "r\tq"},
			want:  Entry{At: at, Change: -1, Unit: Requests, Model: "a_b_c", Why: "two lines  and  more", RequestID: "r_q"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			line := string(appendLine([]byte(tc.prefix), &tc.entry, 1, Requests))
			if got, ok := ParseEntry(line); !ok || got != tc.want {
				t.Errorf("ParseEntry(%q) = %+v, %v; want %+v", line, got, ok, tc.want)
			}
		})
	}
}

func TestEntryIsBounded(t *testing.T) {
	e := Entry{Model: strings.Repeat("m", 10_000), Why: strings.Repeat("ä", 10_000), RequestID: strings.Repeat("r", 10_000)}
	line := appendLine(nil, &e, 1, Requests)
	if len(line) > maxModel+maxWhy+maxRequestID+20 || !utf8.Valid(line) {
		t.Errorf("line of %d bytes, valid %v; want a bounded line of whole characters", len(line), utf8.Valid(line))
	}
}

func TestParseEntryRefuses(t *testing.T) {
	for _, line := range []string{"", "x", "x DONE s 1 requests - - why", "1 DONE s one requests - - why", "1 DONE s 1 requests - why"} {
		if e, ok := ParseEntry(line); ok {
			t.Errorf("ParseEntry(%q) = %+v; want a refusal", line, e)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add("claude-haiku-4-5", "answered", "req_1")
	f.Add("", "a  b", "")
	f.Fuzz(func(t *testing.T, model, why, id string) {
		e := Entry{Model: model, Why: why, RequestID: id}
		first := appendLine([]byte("1 DONE s "), &e, 1, Requests)
		got, ok := ParseEntry(string(first))
		if !ok || strings.ContainsAny(string(first), "\n\r\x00") {
			t.Fatalf("line %q of %+v does not read back", first, e)
		}
		if again := appendLine([]byte("1 DONE s "), &got, 1, Requests); string(again) != string(first) {
			t.Fatalf("line %q became %q", first, again)
		}
	})
}
