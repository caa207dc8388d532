package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openova-io/llm-gateway/auth/users"
)

const (
	usersFile  = "users.json"
	tokensFile = "tokens.json"

	// adminSocket is where Caddy's admin endpoint listens.
	adminSocket = "admin.sock"
)

// demoUsers are the people of dev, one on each of the mission's plans.
var demoUsers = []struct{ tier, limit, says string }{
	{"free", "10 requests per day", "10 requests a day"},
	{"pro", "1000 requests per day", "1,000 requests a day"},
	{"enterprise", "unlimited", "unlimited"},
}

// demoTokens returns the token of each plan. The first start makes users and
// tokens; later ones find them. The users file holds hashes only, so tokens
// that are lost are made anew.
func demoTokens(dir string) (map[string]string, error) {
	tokens := make(map[string]string)
	path := filepath.Join(dir, tokensFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &tokens); err != nil {
			return nil, fmt.Errorf("reading %s: %w; delete it for new tokens", path, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, usersFile)); err == nil && len(tokens) == len(demoUsers) {
		return tokens, nil
	}
	return makeTokens(dir)
}

func makeTokens(dir string) (map[string]string, error) {
	tokens := make(map[string]string)
	var file users.File
	for _, u := range demoUsers {
		token, hash := users.NewToken()
		tokens[u.tier] = token
		file.Users = append(file.Users, users.User{Name: u.tier, Tier: u.tier, Tokens: []users.Token{{SHA256: hash, Label: "dev"}}})
	}
	if err := file.Write(filepath.Join(dir, usersFile)); err != nil {
		return nil, fmt.Errorf("writing users: %w", err)
	}
	text, err := json.Marshal(tokens)
	if err != nil {
		return nil, fmt.Errorf("encoding tokens: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, tokensFile), append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("writing tokens: %w", err)
	}
	return tokens, nil
}

// devReport is what dev prints.
type devReport struct {
	Address   string            `json:"address"`
	Data      string            `json:"data"`
	Backend   string            `json:"backend"`
	Simulated bool              `json:"simulated"`
	Tokens    map[string]string `json:"tokens"`
}

func (r *devReport) print(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\nllm-gateway dev on %s   data %s   backend: %s\n\n", r.Address, r.Data, r.Backend)
	for _, u := range demoUsers {
		fmt.Fprintf(&b, "  %-11s %s   %s\n", u.tier, r.Tokens[u.tier], u.says)
	}
	fmt.Fprintf(&b, `
  Claude Code  ANTHROPIC_BASE_URL=%[1]s ANTHROPIC_AUTH_TOKEN=%[2]s claude
  OpenAI SDK   OPENAI_BASE_URL=%[1]s/v1 OPENAI_API_KEY=%[2]s
  curl         curl %[1]s/v1/messages -H 'authorization: Bearer %[2]s' -H 'content-type: application/json' -d '{"model":"qwen3-32b","max_tokens":64,"messages":[{"role":"user","content":"hello"}]}'
  quota        curl -H 'authorization: Bearer %[2]s' '%[1]s/quota?format=text'
  page         %[1]s/
  real model   --upstream http://localhost:8001/v1

`, r.Address, r.Tokens["pro"])
	_, err := w.Write(b.Bytes())
	return err
}
