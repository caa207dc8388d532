//go:build attack

package attack

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rawLimit is how long a raw exchange may take.
const rawLimit = 15 * time.Second

// raw writes bytes to a site and reads every answer that comes before the
// connection is quiet or closed. The error of a write is none: a gateway may
// answer and close before it has read all.
func (w *world) raw(t *testing.T, site, text string) []reply {
	t.Helper()
	conn, err := net.Dial("tcp", w.sites[site])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(rawLimit))
	go func() { _, _ = io.WriteString(conn, text) }()
	return readReplies(conn)
}

// quiet is how long no answer must come before a connection counts as done.
const quiet = 80 * time.Millisecond

func readReplies(conn net.Conn) []reply {
	var all []reply
	r := bufio.NewReader(conn)
	for {
		if len(all) > 0 {
			_ = conn.SetReadDeadline(time.Now().Add(quiet))
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		all = append(all, reply{status: res.StatusCode, header: res.Header, body: string(body), err: err})
		if res.Close || err != nil {
			return all
		}
	}
}

// head writes the head of an HTTP/1.1 request; lines are whole header lines.
func head(method, target string, lines ...string) string {
	return method + " " + target + " HTTP/1.1\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}

// plain is a request with a body, as raw bytes.
func plain(method, target, token string, lines ...string) string {
	body := string(ask(routedTo, false))
	lines = append([]string{"Host: gateway.test", "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body))}, lines...)
	if token != "" {
		lines = append(lines, "Authorization: Bearer "+token)
	}
	return head(method, target, lines...) + body
}
