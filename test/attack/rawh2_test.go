//go:build attack

package attack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// The frames of HTTP/2 that a request needs (RFC 9113). The transport of Go
// would refuse or mend most of what is sent here.
const (
	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameGoAway   = 7

	endStream  = 1
	endHeaders = 4
)

// field is a header field as it goes on the wire.
type field struct{ name, value string }

// h2reply is what came of a raw HTTP/2 request.
type h2reply struct {
	status string // "" where none came
	reset  bool   // the stream or the connection was given up
}

// rawH2 sends one request with its fields as they are, and an optional body.
func (w *world) rawH2(t *testing.T, site string, fields []field, body []byte) h2reply {
	t.Helper()
	conn, err := net.Dial("tcp", w.sites[site])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(rawLimit))
	var out bytes.Buffer
	out.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	out.Write(frame(frameSettings, 0, 0, nil))
	var block []byte
	for _, f := range fields {
		block = append(block, 0) // literal, never indexed, no Huffman code
		block = appendText(appendText(block, f.name), f.value)
	}
	flags := byte(endHeaders)
	if body == nil {
		flags |= endStream
	}
	out.Write(frame(frameHeaders, flags, 1, block))
	if body != nil {
		out.Write(frame(frameData, endStream, 1, body))
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	return readH2(t, conn)
}

// readH2 reads frames until the request's answer or its end.
func readH2(t *testing.T, conn net.Conn) h2reply {
	t.Helper()
	for {
		var h [9]byte
		if _, err := io.ReadFull(conn, h[:]); err != nil {
			return h2reply{reset: true}
		}
		payload := make([]byte, int(h[0])<<16|int(h[1])<<8|int(h[2]))
		if _, err := io.ReadFull(conn, payload); err != nil {
			return h2reply{reset: true}
		}
		switch stream := binary.BigEndian.Uint32(h[5:]); {
		case h[3] == frameGoAway, h[3] == frameReset && stream == 1:
			return h2reply{reset: true}
		case h[3] == frameHeaders && stream == 1:
			status, err := statusOf(payload)
			if err != nil {
				t.Fatal(err)
			}
			return h2reply{status: status}
		}
	}
}

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// appendText appends a string literal of HPACK.
func appendText(b []byte, text string) []byte {
	n := len(text)
	if n < 127 {
		b = append(b, byte(n))
	} else {
		b = append(b, 127)
		for n -= 127; n >= 128; n >>= 7 {
			b = append(b, byte(n)|128)
		}
		b = append(b, byte(n))
	}
	return append(b, text...)
}

// indexed are the statuses of HPACK's static table, from index 8 on.
var indexed = []string{"200", "204", "206", "304", "400", "404", "500"}

// statusOf reads the status from a header block, where it stands first.
func statusOf(block []byte) (string, error) {
	if len(block) == 0 {
		return "", errors.New("empty header block")
	}
	if block[0]&0x80 != 0 {
		if i := int(block[0]&0x7f) - 8; i >= 0 && i < len(indexed) {
			return indexed[i], nil
		}
		return "", fmt.Errorf("header block begins with field %d", block[0]&0x7f)
	}
	// A literal value; its name is one of the table's seven times :status.
	if name := block[0] &^ 0x40; len(block) < 2 || name < 8 || name > 14 {
		return "", fmt.Errorf("header block begins with % x", block[:min(len(block), 8)])
	}
	n := int(block[1] & 0x7f)
	text := block[2 : 2+n]
	if block[1]&0x80 == 0 {
		return string(text), nil
	}
	return digits(text), nil
}

// digits decodes the Huffman code of a text of digits: five bits for 0 to 2,
// six for the others.
func digits(code []byte) string {
	var bits strings.Builder
	for _, b := range code {
		fmt.Fprintf(&bits, "%08b", b)
	}
	rest, out := bits.String(), ""
	for len(rest) >= 5 && !strings.HasPrefix("11111111", rest) {
		length := 5
		if rest[:2] != "00" {
			length = 6
		}
		var v int
		if _, err := fmt.Sscanf(rest[:length], "%b", &v); err != nil {
			return out
		}
		if length == 6 {
			v -= 0b011001 - 3
		}
		out, rest = out+string(rune('0'+v)), rest[length:]
	}
	return out
}
