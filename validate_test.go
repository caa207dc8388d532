package llmgateway

import (
	"encoding/json"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"
)

// countingListener accepts and counts connections, and says nothing.
func countingListener(t *testing.T) (address string, accepted *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String(), accepted
}

// Checking a configuration asks nobody and leaves nothing running, whether it
// is good or fails half-way: `caddy validate` runs in image builds and init
// containers, and a running gateway checks every configuration it is sent.
func TestValidateAsksNobodyAndLeavesNothing(t *testing.T) {
	platformEnv(t)
	address, accepted := countingListener(t)
	t.Setenv("INTERNAL_LLM_URL", "http://"+address+"/v1")
	t.Setenv("QUOTA_REDIS_URL", "redis://"+address)
	t.Setenv("KEYCLOAK_URL", "http://"+address+"/realms/ai-hub")
	good := adaptExample(t, readExample(t))
	// What is wrong shows last, when all guests were provisioned.
	bad := []byte(strings.Replace(string(good), `"name":"internal"`, `"fields":["+x"],"models":["gpt-*"],"name":"internal"`, 1))
	if string(bad) == string(good) {
		t.Fatal("the example has no backend internal to break")
	}
	t.Setenv("OPENAI_API_KEY", "x") // both backends claim gpt-*

	var before goleak.Option
	for i := range 5 {
		for _, tc := range []struct {
			config []byte
			fails  bool
		}{{good, false}, {bad, true}} {
			config := new(caddy.Config)
			if err := json.Unmarshal(tc.config, config); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(config); (err != nil) != tc.fails {
				t.Fatalf("Validate = %v, must fail: %v", err, tc.fails)
			}
		}
		if i == 0 { // what Caddy itself keeps for good is there now
			before = goleak.IgnoreCurrent()
		}
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if n := accepted.Load(); n != 0 {
		t.Errorf("validating made %d connections, must make none", n)
	}
	engines.Range(func(key, _ any) bool {
		t.Errorf("engine %v is still held", key)
		return true
	})
}

// A Deployment may set the optional keys, leave them empty, or not name them.
func TestExampleTakesEveryStateOfTheOptionalKeys(t *testing.T) {
	platformEnv(t) // unset
	example := adaptExample(t, readExample(t))
	validate(t, example)
	for _, value := range []string{"", "a-key"} {
		t.Setenv("CLAUDE_API_KEY", value)
		t.Setenv("OPENAI_API_KEY", value)
		validate(t, example)
	}
}
