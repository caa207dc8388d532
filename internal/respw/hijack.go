package respw

import (
	"bufio"
	"net"
	"net/http"
)

// Hijack refuses: an upstream that switches protocols would otherwise get the
// client's connection through Unwrap.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}
