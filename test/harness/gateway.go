package harness

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Site is what a test's Caddyfile holds. The zero value lacks auth, quota and
// backends, which the gateway refuses.
type Site struct {
	// Block is the inside of llm_gateway { … }.
	Block string
	// Globals are further lines of the global options. Default: none.
	Globals string
	// Beside are further lines of the site, before the gateway. Default: none.
	Beside string
	// Address is the site's address, of this machine: nothing listens beyond
	// loopback. Default: http:// and a free port. For https://localhost:<port>
	// Caddy takes certificates of its internal issuer.
	Address string
	// Env is added to the environment, which is otherwise the test's own
	// without the variables that the gateway reads. Default: none.
	Env []string
	// Dir keeps what the gateway writes; a second gateway on it is a restart.
	// Default: a new one.
	Dir string
}

// Gateway is a running gateway.
type Gateway struct {
	*Process
	// URL is where clients are pointed at, without /v1.
	URL string
	// Address is its host and port.
	Address string
	// Dir holds the Caddyfile, the admin socket, logs and Caddy's storage.
	Dir string
	// Requests is the gateway's own log, one JSON line a request.
	Requests string
	// Admin is the address of the admin socket, as `caddy reload` takes it.
	Admin string

	t    testing.TB
	site Site
}

// startLimit is how long a gateway may take to answer, on a busy machine.
const startLimit = 30 * time.Second

// StartGateway starts the gateway on a site and waits until it answers.
func StartGateway(t testing.TB, site Site) *Gateway {
	t.Helper()
	if site.Dir == "" {
		site.Dir = Dir(t)
	}
	if site.Address == "" {
		site.Address = "http://" + Address(t)
	}
	g := &Gateway{
		t: t, site: site, Dir: site.Dir, URL: site.Address, Address: hostOf(t, site.Address),
		Requests: filepath.Join(site.Dir, "requests.log"), Admin: "unix/" + filepath.Join(site.Dir, "admin.sock"),
	}
	cmd := exec.Command(Binary(t), "run", "--config", g.write(site), "--adapter", "caddyfile")
	cmd.Env = site.environment()
	cmd.Dir = site.Dir
	g.Process = Start(t, cmd)
	client := &http.Client{Transport: insecure(), Timeout: time.Second}
	g.ready(t, startLimit, func() error {
		res, err := client.Get(g.URL + "/health")
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("GET /health: %s", res.Status)
		}
		return nil
	})
	client.CloseIdleConnections()
	return g
}

// Restart ends the gateway as a deployment would (SIGTERM) and starts it again
// on the same files and address.
func (g *Gateway) Restart() *Gateway {
	g.t.Helper()
	g.Stop()
	site := g.site
	site.Address = g.URL
	return StartGateway(g.t, site)
}

// Reload writes the site's Caddyfile with another block and loads it, changed
// or not. An empty block keeps the one that runs.
func (g *Gateway) Reload(block string) error {
	if block != "" {
		g.site.Block = block
	}
	cmd := exec.Command(Binary(g.t), "reload", "--force", "--address", g.Admin, "--config", g.write(g.site), "--adapter", "caddyfile")
	cmd.Env = g.site.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("caddy reload: %w\n%s", err, out)
	}
	return nil
}

// RootCertificate is the file with the internal issuer's root, which clients
// must trust where the site's address is https.
func (g *Gateway) RootCertificate() string {
	return filepath.Join(g.Dir, "storage", "pki", "authorities", "local", "root.crt")
}

// write writes the Caddyfile and returns its path.
func (g *Gateway) write(site Site) string {
	g.t.Helper()
	path := filepath.Join(site.Dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(site.caddyfile()), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}
