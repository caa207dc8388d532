package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// devOptions are the flags of dev.
type devOptions struct {
	listen      string
	data        string
	upstream    string
	json        bool
	printConfig bool
	insecure    bool
}

func devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the whole gateway on this machine, with demo users and a simulated model",
		Long: `
Runs the same handlers as in production on a generated Caddyfile: users in a
file, counters on disk, and a simulator of vLLM as the model, unless --upstream,
INTERNAL_LLM_URL or OLLAMA_HOST names a real one. It makes three demo users
(free, pro, enterprise) and prints the lines to paste for Claude Code, curl and
the OpenAI SDK. A second start keeps users and counters.`,
		Args: cobra.NoArgs,
	}
	// Caddy turns the number into the process's exit status.
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
		if err := checkListen(&o); err != nil {
			return exitUsage, err
		}
		if err := runDev(context.Background(), &o, cmd.OutOrStdout()); err != nil {
			return exitFinding, err
		}
		return exitFine, nil
	})
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8000", "Address to listen on; loopback only")
	flags.StringVar(&o.data, "data", ".llm-gateway", "Where users, tokens and counters are kept")
	flags.StringVar(&o.upstream, "upstream", "", "URL of a real vLLM, llama.cpp or Ollama, for example http://localhost:8001/v1")
	flags.BoolVar(&o.json, "json", false, "Print what to paste as JSON")
	flags.BoolVar(&o.printConfig, "print-config", false, "Print the generated Caddyfile and stop")
	flags.BoolVar(&o.insecure, "insecure-listen", false, "Allow addresses beyond loopback: the demo tokens then work from other machines")
	return cmd
}

// runDev prepares the data directory, starts the model and the gateway, says
// how to use them, and stays until a signal ends the process.
func runDev(ctx context.Context, o *devOptions, stdout io.Writer) error {
	dir, err := filepath.Abs(o.data)
	if err != nil {
		return fmt.Errorf("finding --data %s: %w", o.data, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making --data %s: %w", o.data, err)
	}
	tokens, err := demoTokens(dir)
	if err != nil {
		return err
	}
	model, err := findModel(ctx, o.upstream)
	if err != nil {
		return err
	}
	config := devCaddyfile(o.listen, dir, model)
	if o.printConfig {
		_, err := stdout.Write(config)
		return err
	}
	if err := checkFree(ctx, o, dir); err != nil {
		return err
	}
	if err := startCaddy(config); err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	report := devReport{Address: "http://" + o.listen, Data: o.data, Backend: model.describe(), Simulated: model.simulated, Tokens: tokens}
	if o.json {
		err = json.NewEncoder(stdout).Encode(report)
	} else {
		err = report.print(stdout)
	}
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	caddy.TrapSignals()
	select {}
}

// checkListen refuses addresses that other machines reach: the tokens of dev
// lie in a file and nobody revokes them.
func checkListen(o *devOptions) error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen %q is no address; write it as 127.0.0.1:8000", o.listen)
	}
	ip := net.ParseIP(host)
	if o.insecure || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--listen %s is reachable from other machines, and dev has demo users only; add --insecure-listen if you mean it", o.listen)
}

func startCaddy(config []byte) error {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(config, map[string]any{"filename": "dev"})
	if err != nil {
		return fmt.Errorf("adapting the generated Caddyfile: %w", err)
	}
	return caddy.Load(adapted, true)
}

// maxSocketPath bounds the path of a unix socket: 104 bytes on macOS and the
// BSDs, 108 on Linux, one of them the closing zero.
const maxSocketPath = 103

// checkFree refuses what would start and then not work. Caddy opens its sockets
// so that a second process may share them: two of dev on one port would each
// get some of the requests and know one half of the tokens.
func checkFree(ctx context.Context, o *devOptions, dir string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w\n%s is taken: stop what listens there, or choose another address with --listen", err, o.listen)
	}
	if err := listener.Close(); err != nil {
		return fmt.Errorf("trying %s: %w", o.listen, err)
	}
	socket := filepath.Join(dir, adminSocket)
	if len(socket) > maxSocketPath {
		return fmt.Errorf("%s is too long for the path of a socket; choose a shorter --data", socket)
	}
	var dialer net.Dialer
	if conn, err := dialer.DialContext(ctx, "unix", socket); err == nil {
		_ = conn.Close() // it has said what it is for
		return fmt.Errorf("another dev is running on --data %s; stop it, or choose another directory", o.data)
	}
	return nil
}
