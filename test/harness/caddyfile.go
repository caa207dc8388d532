package harness

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// caddyfile is the site as a Caddyfile: the admin endpoint is a socket, the
// gateway's own log a file, and /metrics is served beside it.
func (s *Site) caddyfile() string {
	https := "auto_https disable_redirects\n\tskip_install_trust"
	if strings.HasPrefix(s.Address, "http://") {
		https = "auto_https off"
	}
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	%s
	metrics
	storage file_system %s
	log default {
		output stderr
		exclude http.handlers.llm_auth_quota.request
	}
	log requests {
		output file %s
		include http.handlers.llm_auth_quota.request
	}
%s
}

%s {
	bind 127.0.0.1
%s
	handle /metrics {
		metrics
	}
	handle {
		llm_gateway {
%s
		}
	}
}
`, quoted("unix/"+filepath.Join(s.Dir, "admin.sock")+"|0600"), https, quoted(filepath.Join(s.Dir, "storage")),
		quoted(filepath.Join(s.Dir, "requests.log")), s.Globals, s.Address, s.Beside, s.Block)
}

// quoted writes a path as one token.
func quoted(s string) string { return "`" + s + "`" }

// gatewayVariables are what the gateway reads from its environment: a person's
// own must not reach a test.
var gatewayVariables = []string{
	"INTERNAL_LLM_URL", "CLAUDE_API_KEY", "OPENAI_API_KEY", "QUOTA_REDIS_URL", "AUTH_PROVIDER", "KEYCLOAK_URL", "OLLAMA_HOST",
}

func (s *Site) environment() []string { return append(CleanEnv(), s.Env...) }

// CleanEnv is the test's environment without the variables that the gateway
// reads.
func CleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains(gatewayVariables, name)
	})
}

func hostOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		t.Fatalf("a site's address must be a URL, not %q", address)
	}
	return u.Host
}

// insecure is a transport that asks for no certificate chain: it only looks
// whether somebody answers.
func insecure() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // loopback, nothing secret
}
