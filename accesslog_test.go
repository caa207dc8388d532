package llmgateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// A site whose server writes an access log says so when it is loaded, once.
func TestAccessLogIsWarnedOf(t *testing.T) {
	platformEnv(t)
	const accessLog = "log {\n\t\toutput discard\n\t\tformat llm_safe\n\t}"
	for _, tc := range []struct {
		name, log, word string
		warnings        int
	}{
		{name: "no access log", warnings: 0},
		{name: "an access log", log: accessLog, warnings: 1},
		{name: "an access log that the site accepts", log: accessLog, word: "unsafe_log", warnings: 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "default.log")
			validate(t, adaptExample(t, string(caddyfile.Format(fmt.Appendf(nil, `{
	auto_https off
	log default {
		output file %s
		format llm_safe
	}
}

http://127.0.0.1:8000 {
	%s
	llm_gateway {
		auth keycloak {env.KEYCLOAK_URL}
		quota redis {env.QUOTA_REDIS_URL}
		backend internal vllm {env.INTERNAL_LLM_URL}
		%s
	}
}
`, path, tc.log, tc.word)))))
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(string(text), "writes an access log"); got != tc.warnings {
				t.Errorf("%d warnings, want %d:\n%s", got, tc.warnings, text)
			}
		})
	}
}
