//go:build attack

package attack

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// framings drives the framing cases of path-cases.json on HTTP/1.1.
func (w *world) framings(t *testing.T) {
	drivers := map[string]func(*testing.T, framingCase){
		"F001": w.twoLengths, "F008": w.foldedHeader, "F009": w.controlCharacters, "F010": w.twoHosts,
		"F011": w.oddHost, "F013": w.hugeHeaders, "F018": w.resets,
	}
	for _, c := range readCases[framingCase](t, "path-cases.json", "framing") {
		if drive := drivers[c.ID]; drive != nil {
			drive(t, c)
		}
	}
}

// refusedRaw runs one raw message, each of whose answers must have one of the
// statuses, and which must leave no trace.
func (w *world) refusedRaw(t *testing.T, c framingCase, how, text string, statuses ...int) {
	t.Helper()
	w.attack(t, c.ID, c.Name+": "+how, func(t *testing.T) {
		before := w.watch(t)
		replies := w.raw(t, "main", text)
		if len(replies) == 0 {
			t.Error("no answer at all")
		}
		for i, r := range replies {
			w.clean(t, r)
			if want := statuses[min(i, len(statuses)-1)]; r.status != want {
				t.Errorf("answer %d: status %d %.200s, want %d", i+1, r.status, r.body, want)
			}
		}
		before.nothing(t)
	})
}

// twoLengths hides a second request behind a first that has two lengths: each
// is asked for a token by itself.
func (w *world) twoLengths(t *testing.T, c framingCase) {
	w.refusedRaw(t, c, "as written", c.Request, http.StatusUnauthorized, http.StatusOK)
	_, token := w.person(t, "free")
	both := head("POST", messages, "Host: x", "Content-Length: 5", "Transfer-Encoding: chunked", "Authorization: Bearer "+token) + "0\r\n\r\n"
	hidden := plain("POST", messages, "")
	w.refusedRaw(t, c, "the second borrows the first's token", both+hidden, http.StatusBadRequest, http.StatusUnauthorized)
}

// foldedHeader continues a header on a second line: its value may be joined,
// but it must not become a header of its own.
func (w *world) foldedHeader(t *testing.T, c framingCase) {
	_, token := w.person(t, "free")
	w.refusedRaw(t, c, "a second line that looks like a credential",
		plain("POST", messages, "", "X-Note: a\r\n Authorization: Bearer "+token), http.StatusUnauthorized)
	_, other := w.person(t, "free")
	w.refusedRaw(t, c, "a credential in two lines",
		plain("POST", messages, "", "Authorization: Bearer bad\r\n "+other), http.StatusUnauthorized)
}

func (w *world) controlCharacters(t *testing.T, c framingCase) {
	_, token := w.person(t, "free")
	for name, text := range map[string]string{"NUL": "\x00", "CR": "a\rb"} {
		w.refusedRaw(t, c, name, plain("POST", messages, token, "X-Note: "+text), http.StatusBadRequest)
	}
}

func (w *world) twoHosts(t *testing.T, c framingCase) {
	_, token := w.person(t, "free")
	w.refusedRaw(t, c, "the second names another", plain("POST", messages, token, "Host: other.test"), http.StatusBadRequest)
}

func (w *world) oddHost(t *testing.T, c framingCase) {
	_, token := w.person(t, "free")
	text := strings.Replace(plain("POST", messages, token), "Host: gateway.test", "Host: x/?#", 1)
	w.refusedRaw(t, c, "as named", text, http.StatusBadRequest)
}

func (w *world) hugeHeaders(t *testing.T, c framingCase) {
	_, token := w.person(t, "free")
	var lines []string
	for i := range 10_000 {
		lines = append(lines, fmt.Sprintf("X-Note-%d: %s", i, strings.Repeat("A", 110)))
	}
	w.refusedRaw(t, c, "10,000 headers", plain("POST", messages, token, lines...), http.StatusRequestHeaderFieldsTooLarge)
	w.refusedRaw(t, c, "one of 1.2 MB", plain("POST", messages, token, "X-Note: "+strings.Repeat("A", 1_200_000)), http.StatusRequestHeaderFieldsTooLarge)
}
