//go:build attack

package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/keycloak/attacktest"
	"github.com/openova-io/llm-gateway/internal/redistest"
	"github.com/openova-io/llm-gateway/test/harness"
)

// The keys that the gateway holds for its backends: canaries, for each may be
// seen by its own backend only.
const (
	internalKey = "canary-internal-4e1f09c37d"
	claudeKey   = "canary-claude-b7720a51e9"
	openaiKey   = "canary-openai-90d3c6f418"
)

// world is everything that runs: one gateway process with several sites, its
// realm, its stores and what stands behind it.
type world struct {
	*score
	lab   *attacktest.Lab
	suite *attacktest.Suite

	internal, claude, openai *stub
	python, node             *foreign

	store, frail *redistest.Server // frail is taken away in the outage tests
	db           *goredis.Client

	gateway *harness.Process
	sites   map[string]string // host:port by name
	admin   string            // path of the admin socket
	access  string            // file of the access log; "" where there is none
	log     string            // file of the gateway's own request log
	clients map[string]*client

	secrets secrets
	people  atomic.Int64
}

// newWorld starts all parts.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{score: newScore(), sites: make(map[string]string)}
	w.secrets.add(internalKey, "the key of backend internal")
	w.secrets.add(claudeKey, "the key of backend claude")
	w.secrets.add(openaiKey, "the key of backend openai")
	w.suite = readSuite(t, "jwt-attacks.json")
	w.suite.Cases = append(w.suite.Cases, readSuite(t, "more-jwt.json").Cases...)
	var err error
	if w.lab, err = attacktest.NewLab(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.lab.Close() })
	w.internal, w.claude, w.openai = newStub(t), newStub(t), newStub(t)
	w.python, w.node = w.startForeign(t, "python3", "stub.py"), w.startForeign(t, "node", "stub.mjs")
	w.store, w.frail = redistest.Start(t, "--enable-debug-command", "yes"), redistest.Start(t)
	w.db = goredis.NewClient(&goredis.Options{Network: "unix", Addr: w.store.Socket})
	t.Cleanup(func() { _ = w.db.Close() })
	w.startGateway(t)
	w.clients = map[string]*client{"h1": newClient(t, false), "h2": newClient(t, true)}
	return w
}

// readSuite reads a file of token recipes.
func readSuite(t *testing.T, name string) *attacktest.Suite {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	suite, err := attacktest.Parse(file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return suite
}

// site adds a site to the Caddyfile. It answers for every Host, as a gateway
// behind a load balancer does.
func (w *world) site(t *testing.T, name, beside, block string) string {
	t.Helper()
	w.sites[name] = harness.Address(t)
	_, port, _ := strings.Cut(w.sites[name], ":")
	return fmt.Sprintf("http://:%s {\n\tbind 127.0.0.1\n%s\n\thandle /metrics {\n\t\tmetrics\n\t}\n\thandle {\n\t\tllm_gateway {\n%s\n\t\t}\n\t}\n}\n", port, beside, block)
}

func (w *world) startGateway(t *testing.T) {
	t.Helper()
	dir := harness.Dir(t)
	w.admin, w.log = filepath.Join(dir, "admin.sock"), filepath.Join(dir, "requests.log")
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(w.caddyfile(t, dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(harness.Binary(t), "run", "--config", path, "--adapter", "caddyfile")
	cmd.Dir = dir
	cmd.Env = append(harness.CleanEnv(), "INTERNAL_KEY="+internalKey, "CLAUDE_API_KEY="+claudeKey, "OPENAI_API_KEY="+openaiKey)
	w.gateway = harness.Start(t, cmd)
	harness.Poll(t, 30*time.Second, "the gateway", func() error {
		if w.gateway.Ended() {
			t.Fatalf("the gateway ended:\n%s", w.gateway.Tail(30))
		}
		_, err := get("http://" + w.sites["main"] + "/health")
		return err
	})
}

// caddyfile is the configuration: the mission's default tiers on `main`, and
// beside it what single cases need.
func (w *world) caddyfile(t *testing.T, dir string) string {
	t.Helper()
	identity := "auth keycloak " + w.lab.Issuer + " {\ndefault_tier free\n}\n"
	// The attackers share this machine's cores with the store: it gets longer
	// than a server of its own would need.
	quota := "quota redis " + w.store.URL + " {\ntimeout 2s\n}\n"
	internal := func(url string) string {
		return "backend internal vllm " + url + "/v1 {\nmodels qwen3-32b\nnative_messages\nkey {env.INTERNAL_KEY}\n}\n"
	}
	paid := "backend claude anthropic " + w.claude.URL + " {\nkey {env.CLAUDE_API_KEY}\n}\n" +
		"backend openai openai " + w.openai.URL + " {\nkey {env.OPENAI_API_KEY}\n}\n"
	closed := "http://" + harness.Address(t)

	beside := ""
	if hasModule(t, "caddy.logging.encoders.llm_safe") {
		w.access = filepath.Join(dir, "access.log")
		beside = "\tlog {\n\t\toutput file " + w.access + "\n\t\tformat llm_safe\n\t}"
	}
	sites := []string{
		w.site(t, "main", beside, identity+quota+internal(w.internal.URL)+paid),
		w.site(t, "walled", "", identity+quota+internal(w.internal.URL)+paid+
			"tier free {\nlimit 10 requests per day\nallow internal\nroute claude-3-opus to qwen3-32b\n}\n"),
		w.site(t, "no-idp", "", "auth keycloak "+closed+"/realms/away\n"+quota+internal(w.internal.URL)),
		w.site(t, "no-store", "", identity+"quota redis "+w.frail.URL+"\n"+internal(w.internal.URL)),
		w.site(t, "no-backend", "", identity+quota+internal(closed)),
	}
	for name, f := range map[string]*foreign{"python": w.python, "node": w.node} {
		if f != nil {
			sites = append(sites, w.site(t, name, "", identity+quota+internal(f.URL)))
		}
	}
	for _, c := range w.suite.Cases {
		if c.Transport != nil && c.Transport.Config != nil {
			sites = append(sites, w.site(t, c.ID, "", w.overridden(t, c)+quota+internal(w.internal.URL)))
		}
	}
	return "{\n\tadmin unix/" + w.admin + "|0600\n\tpersist_config off\n\tauto_https off\n\tmetrics\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n" +
		"\tstorage file_system " + filepath.Join(dir, "storage") + "\n" +
		"\tlog default {\n\t\toutput stderr\n\t\tlevel DEBUG\n\t\texclude http.handlers.llm_auth_quota.request\n\t}\n" +
		"\tlog requests {\n\t\toutput file " + w.log + "\n\t\tinclude http.handlers.llm_auth_quota.request\n\t}\n}\n" + strings.Join(sites, "\n")
}

// overridden is the auth section of a case with a configuration of its own.
func (w *world) overridden(t *testing.T, c attacktest.Case) string {
	t.Helper()
	lines := "auth keycloak " + w.lab.Issuer + " {\ndefault_tier free\n"
	for name, value := range c.Transport.Config {
		switch {
		case name == "allow_service_accounts" && value == false: // the default
		case name == "allow_service_accounts" && value == true:
			lines += "service_accounts allow\n"
		default:
			t.Fatalf("%s: configuration %s=%v is not understood", c.ID, name, value)
		}
	}
	return lines + "}\n"
}

func hasModule(t *testing.T, id string) bool {
	t.Helper()
	out, err := exec.Command(harness.Binary(t), "list-modules").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(out), id+"\n")
}

// person makes someone new on a tier and returns the subject and a token.
func (w *world) person(t *testing.T, tier string) (subject, token string) {
	t.Helper()
	id := fmt.Sprintf("person-%04d", w.people.Add(1))
	attempt, err := w.lab.Attempt(w.suite, attacktest.Case{ID: id, Claims: map[string]any{"sub": id, "subscription_tier": tier}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.secrets.addToken(attempt.Token, id)
	return auth.SubjectOf(w.lab.Issuer, id), attempt.Token
}
