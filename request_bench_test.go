package llmgateway

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkRequest sends whole requests through the gateway to an upstream in
// this process, so client and upstream are in the figures too: it is for
// profiles and for comparing two states of the code.
func BenchmarkRequest(b *testing.B) {
	for _, size := range []struct {
		name string
		fill int
	}{{"1KB", 900}, {"150KB", 150_000}} {
		b.Run(size.name, func(b *testing.B) {
			g := startGateway(b, "")
			text := strings.Repeat("func f() {\\n\\treturn \\\"x\\\"\\n}\\n", size.fill/32)
			body := strings.Replace(helloBody, `"hi"`, `"`+text+`"`, 1)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				res, err := http.DefaultClient.Do(g.request("wide", http.MethodPost, "/v1/messages", body))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					b.Fatalf("status %d", res.StatusCode)
				}
			}
		})
	}
}
