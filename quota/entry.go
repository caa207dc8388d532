package quota

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Entry is what the ledger keeps of one request, and what a person reads about
// it on /quota.
type Entry struct {
	// At is when the request was settled, on the store's clock. Read only.
	At time.Time
	// Change is what the request did to the counter: -1 or 0. Read only: the
	// settlement decides.
	Change int64
	// Unit is what Change counts. Read only: the plan says it.
	Unit Unit
	// Model is the model that answered; empty if none did.
	Model string
	// Why says how the request ended: "answered", "refunded: upstream 529".
	Why string
	// RequestID is the request-id that the client was given.
	RequestID string
}

// What an entry may take in the ledger, in bytes.
const (
	maxModel     = 256
	maxRequestID = 64
	maxWhy       = 200
)

// appendLine appends the entry as the ledger stores it: amount, unit, model,
// request id, and the reason as the rest of the line. The store puts time,
// result and mode in front of it.
func appendLine(dst []byte, e *Entry, amount int64, unit Unit) []byte {
	dst = strconv.AppendInt(dst, amount, 10)
	dst = append(dst, ' ')
	dst = appendWord(dst, string(unit), maxRequestID)
	dst = append(dst, ' ')
	dst = appendWord(dst, e.Model, maxModel)
	dst = append(dst, ' ')
	dst = appendWord(dst, e.RequestID, maxRequestID)
	dst = append(dst, ' ')
	return appendText(dst, e.Why, maxWhy, ' ')
}

// appendWord appends s without blanks; an empty word is a dash.
func appendWord(dst []byte, s string, limit int) []byte {
	if s == "" {
		return append(dst, '-')
	}
	start := len(dst)
	dst = appendText(dst, s, limit, '_')
	for i := start; i < len(dst); i++ {
		if dst[i] == ' ' {
			dst[i] = '_'
		}
	}
	return dst
}

// appendText appends at most limit bytes of s, whole characters only, with
// control characters replaced: a line of the ledger stays one line.
func appendText(dst []byte, s string, limit int, instead byte) []byte {
	for i, r := range s {
		if i+utf8.RuneLen(r) > limit {
			break
		}
		switch {
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			dst = append(dst, instead)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// ParseEntry reads one line of [Record].Ledger:
//
//	<Unix ms> DONE|KEPT|LATE s|f|c|v <amount> <unit> <model> <request id> <why>
//
// It reports false for a line that is not one.
func ParseEntry(line string) (Entry, bool) {
	fields := strings.SplitN(line, " ", 8)
	if len(fields) != 8 {
		return Entry{}, false
	}
	ms, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return Entry{}, false
	}
	amount, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return Entry{}, false
	}
	e := Entry{
		At: time.UnixMilli(ms).UTC(), Unit: Unit(fields[4]),
		Model: word(fields[5]), RequestID: word(fields[6]), Why: fields[7],
	}
	if fields[1] == "KEPT" || fields[2] == string(Charge) {
		e.Change = -amount
	}
	return e, true
}

// word undoes appendWord.
func word(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
