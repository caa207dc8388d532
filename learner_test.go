package llmgateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Models are asked for through the operator's own transport, and one that a
// backend lists can be used by name.
func TestLearnThroughTheOperatorsTransport(t *testing.T) {
	backend := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/models" {
			io.WriteString(w, `{"object":"list","data":[{"id":"my-model","object":"model","max_model_len":4096}]}`)
			return
		}
		plainAnswer(w, r)
	}))
	defer backend.Close()
	g := startSite(t, "", func(dir, _ string) string {
		return fmt.Sprintf(`llm_gateway {
			auth users %[1]s/users.json
			quota embedded %[1]s/quota
			backend internal vllm %[2]s {
				native_messages
				transport http {
					tls_insecure_skip_verify
				}
			}
			tier tiny {
				limit 300 requests per day
				allow internal
			}
			tier wide {
				limit unlimited
				allow internal
			}
		}`, dir, backend.URL)
	})
	var text string
	for range 100 {
		if _, text = g.do("tiny", http.MethodGet, "/v1/models", ""); strings.Contains(text, "my-model") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !strings.Contains(text, `"my-model"`) {
		t.Fatalf("GET /v1/models = %s", text)
	}
	if res, text := g.do("tiny", http.MethodPost, "/v1/messages", strings.Replace(helloBody, "claude-opus-5-5", "my-model", 1)); res.StatusCode != http.StatusOK {
		t.Errorf("a listed model = %d %s", res.StatusCode, text)
	}
}
