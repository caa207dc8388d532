package llmgateway

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// pages returns the README and everything in docs, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, path := range append(paths, "README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

// fenced returns the blocks of a language in a page.
func fenced(page, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

func TestDocumentedCaddyfilesLoad(t *testing.T) {
	platformEnv(t)
	seen := 0
	for path, page := range pages(t) {
		for _, block := range fenced(page, "caddyfile") {
			seen++
			if formatted := string(caddyfile.Format([]byte(block))); formatted != block {
				t.Errorf("%s: caddy fmt would change:\n%s", path, block)
			}
			validate(t, adaptExample(t, block))
		}
	}
	if seen == 0 {
		t.Error("no page shows a Caddyfile, so this test reads them wrong")
	}
}

func TestDocumentedCommandsExist(t *testing.T) {
	seen := 0
	for path, page := range pages(t) {
		for _, block := range fenced(page, "sh") {
			for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
				if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				seen++
				if problem := wrongCommand(t, strings.Fields(line)); problem != "" {
					t.Errorf("%s: %s\n%s", path, line, problem)
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("the pages show %d commands, so this test reads them wrong", seen)
	}
}

// wrongCommand says why a documented command would not run; "" if it would.
func wrongCommand(t *testing.T, words []string) string {
	for len(words) > 0 && strings.Contains(words[0], "=") {
		words = words[1:] // variables for the command
	}
	command := strings.Join(words, " ")
	switch {
	case strings.HasPrefix(command, "go run ./cmd/caddy "):
		return wrongCaddy(words[3:])
	case strings.HasPrefix(command, "caddy "):
		return wrongCaddy(words[1:])
	case strings.HasPrefix(command, "go tool xcaddy build "):
		if !strings.Contains(readFile(t, "go.mod"), "github.com/caddyserver/caddy/v2 "+words[4]+"\n") {
			return "go.mod has another version of Caddy"
		}
	case strings.HasPrefix(command, "make "):
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:`).MatchString(readFile(t, "Makefile")) {
			return "the Makefile has no such target"
		}
	case strings.HasPrefix(command, "curl "):
		return wrongRequest(words[1:])
	case strings.HasPrefix(command, "docker build "):
		readFile(t, "Dockerfile")
	case slices.Contains([]string{"claude", "export", "unset", "git", "cd"}, words[0]):
	default:
		return "this test does not know the command"
	}
	return ""
}

// wrongCaddy looks a command and its flags up in the program's own tree.
func wrongCaddy(args []string) string {
	command, rest, err := program().Find(args)
	if err == nil {
		err = command.ParseFlags(rest)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// program is the tree of commands that cmd/caddy offers.
func program() *cobra.Command {
	root := &cobra.Command{Use: "caddy", SilenceErrors: true, SilenceUsage: true}
	for _, c := range caddycmd.Commands() {
		command := &cobra.Command{Use: c.Name}
		if c.Flags != nil {
			command.Flags().AddGoFlagSet(c.Flags)
		}
		if c.CobraFunc != nil {
			c.CobraFunc(command)
		}
		root.AddCommand(command)
	}
	return root
}

// wrongRequest looks up whether the gateway serves what curl asks for.
func wrongRequest(args []string) string {
	for _, arg := range args {
		if arg = strings.Trim(arg, `"'`); strings.HasPrefix(arg, "http") && findEndpoint(httptest.NewRequest(http.MethodGet, arg, nil)) == nil {
			return "the gateway has no such endpoint"
		}
	}
	return ""
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// Files that a page names or links to are there.
func TestDocumentedFilesExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	named := regexp.MustCompile("`((?:[a-z_0-9]+/)*[A-Za-z_0-9]+\\.(?:go|lua|md|example|yml))`")
	folder := regexp.MustCompile("`((?:[a-z_0-9]+/)+)`")
	for path, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			mustExist(t, path, filepath.Join(filepath.Dir(path), m[1]))
		}
		for _, m := range slices.Concat(named.FindAllStringSubmatch(page, -1), folder.FindAllStringSubmatch(page, -1)) {
			if filepath.Base(m[1]) == "module.go" {
				continue // the name of many files
			}
			mustExist(t, path, m[1])
		}
	}
}

func mustExist(t *testing.T, page, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s names %s: %v", page, path, err)
	}
}

// What dev prints as its configuration is a Caddyfile that loads.
func TestPrintedConfigLoads(t *testing.T) {
	platformEnv(t)
	t.Setenv("INTERNAL_LLM_URL", "") // the simulator answers
	t.Setenv("OLLAMA_HOST", "")
	var stdout bytes.Buffer
	root := program()
	root.SetOut(&stdout)
	root.SetArgs([]string{"llm-gateway", "dev", "--print-config", "--data", t.TempDir()})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	validate(t, adaptExample(t, stdout.String()))
}
