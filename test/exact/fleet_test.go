//go:build exact

package exact

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/llm-gateway/internal/redistest"
	"github.com/openova-io/llm-gateway/test/harness"
)

// people are those of a trial, one for each part, with their tiers.
var people = map[string]string{
	"ten": "ten", "thousand": "thousand", "leaver": "hundred", "stormer": "hundred",
	"unlucky": "ten", "goer": "ten",
	"caller": "thousand", "victim": "forty", "loaded": "thousand",
}

// fleet is four gateways on one redis-server and one upstream.
type fleet struct {
	redis    *redistest.Server
	model    *upstream
	users    *harness.Users
	gateways []*gateway
	all      *figures
}

const fleetSize = 4

func newFleet(t *testing.T, fsync string, all *figures) *fleet {
	t.Helper()
	f := &fleet{
		redis: redistest.Start(t, "--appendfsync", fsync), model: newUpstream(t),
		users: harness.WriteUsers(t, people), all: all,
	}
	config := configFor(t, f.users, "redis "+f.redis.URL, f.model.URL)
	for range fleetSize {
		f.gateways = append(f.gateways, startGateway(t, config))
	}
	var ready sync.WaitGroup
	for _, g := range f.gateways {
		ready.Go(func() { g.awaitReady(t) })
	}
	ready.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return f
}

// gateway is one process of the real binary.
type gateway struct {
	*harness.Process
	URL string
}

// configFor writes the configuration of one gateway and returns it as a
// function of its address: a Caddyfile as an operator writes it, adapted by the
// binary, and the short lease put in, which has no word there.
func configFor(t *testing.T, users *harness.Users, quota, model string) func(address, dir string) []byte {
	t.Helper()
	// Half a day away: no window ends during a trial, whatever the hour.
	reset := time.Now().UTC().Add(12 * time.Hour).Format("15:00")
	tiers := ""
	for _, tier := range []struct {
		name  string
		limit int
	}{{"ten", 10}, {"forty", 40}, {"hundred", 100}, {"thousand", 1000}} {
		tiers += fmt.Sprintf(`
		tier %s {
			limit %d requests per day
			reset %s
			in_flight unlimited
			allow internal
			default qwen3-32b
		}`, tier.name, tier.limit, reset)
	}
	return func(address, dir string) []byte {
		return withLease(t, adapt(t, fmt.Sprintf(`{
	admin unix/%s|0600
	persist_config off
	auto_https off
	storage file_system %s
	log default {
		level ERROR
	}
}
http://%s {
	llm_gateway {
		auth users %s
		quota %s%s
		backend internal vllm %s/v1 {
			models qwen3-*
			native_messages
		}
	}
}
`, filepath.Join(dir, "admin"), filepath.Join(dir, "storage"), address, users.Path, quota, tiers, model)))
	}
}

// adapt turns a Caddyfile into JSON with the binary under test.
func adapt(t *testing.T, caddyfile string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), "adapt", "--config", path, "--adapter", "caddyfile")
	cmd.Env = harness.CleanEnv()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("caddy adapt: %v", err)
	}
	return out
}

// withLease gives every llm_auth_quota of a configuration the lease.
func withLease(t *testing.T, config []byte) []byte {
	t.Helper()
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		t.Fatal(err)
	}
	if setLease(tree) != 1 {
		t.Fatalf("the adapted configuration does not hold one llm_auth_quota:\n%s", config)
	}
	out, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func setLease(tree any) (found int) {
	switch v := tree.(type) {
	case []any:
		for _, item := range v {
			found += setLease(item)
		}
	case map[string]any:
		if v["handler"] == "llm_auth_quota" {
			v["lease"] = lease.String()
			return 1
		}
		for _, item := range v {
			found += setLease(item)
		}
	}
	return found
}

// startGateway starts the binary on a free port and files of its own.
func startGateway(t *testing.T, config func(address, dir string) []byte) *gateway {
	t.Helper()
	address, dir := harness.Address(t), harness.Dir(t)
	return runGateway(t, address, dir, config(address, dir))
}

// runGateway starts the binary with a JSON configuration.
func runGateway(t *testing.T, address, dir string, config []byte) *gateway {
	t.Helper()
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(harness.Binary(t), "run", "--config", path)
	cmd.Env, cmd.Dir = harness.CleanEnv(), dir
	return &gateway{Process: harness.Start(t, cmd), URL: "http://" + address}
}

// awaitReady waits until the gateway answers. It may be called from any
// goroutine.
func (g *gateway) awaitReady(t *testing.T) {
	t.Helper()
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if res, err := client.Get(g.URL + "/health"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if g.Ended() || time.Now().After(end) {
			t.Errorf("the gateway does not answer:\n%s", g.Tail(20))
			return
		}
	}
}
