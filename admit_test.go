package llmgateway

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"
)

func TestLinkBase(t *testing.T) {
	for _, tc := range []struct {
		name, public, host, server string
		tls                        bool
		want                       string
	}{
		{name: "as configured", public: "https://llm.example.com", host: "evil.example", want: "https://llm.example.com"},
		{name: "the name of the certificate", host: "llm.example.com", tls: true, server: "llm.example.com", want: "https://llm.example.com"},
		{name: "with its port", host: "localhost:8443", tls: true, server: "localhost", want: "https://localhost:8443"},
		{name: "not the Host header's", host: "evil.example:1", tls: true, server: "llm.example.com", want: "https://llm.example.com"},
		{name: "loopback", host: "127.0.0.1:8000", want: "http://127.0.0.1:8000"},
		{name: "loopback by name", host: "localhost:8000", want: "http://localhost:8000"},
		{name: "a Host header proves nothing", host: "evil.example", want: ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = tc.host
			if tc.tls {
				r.TLS = &tls.ConnectionState{ServerName: tc.server, HandshakeComplete: true}
			}
			h := &AuthQuota{PublicURL: tc.public}
			if got := h.linkBase(r); got != tc.want {
				t.Errorf("linkBase = %q, want %q", got, tc.want)
			}
		})
	}
}
