package llmgateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	thisModule = "github.com/openova-io/llm-gateway"
	caddyPaths = "github.com/caddyserver/"
)

// listed is a package as `go list` knows it.
type listed struct {
	ImportPath, Dir  string
	GoFiles, Imports []string
	Deps             []string
}

// room is the package's folder inside the module, "auth/keycloak".
func (p *listed) room() string { return strings.TrimPrefix(p.ImportPath, thisModule+"/") }

func listPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps",
		"./auth/...", "./quota/...", "./routing/...", "./internal/...", "./web/...", "./cli/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// in reports whether a folder is one of the rooms or below one.
func in(folder string, rooms ...string) bool {
	for _, room := range rooms {
		if folder == room || strings.HasPrefix(folder, room+"/") {
			return true
		}
	}
	return false
}

// mayNotImport says for each room which others it must not reach.
var mayNotImport = []struct {
	room  string
	rooms []string
	but   [2]string // the one import that is meant all the same
}{
	{room: "auth", rooms: []string{"quota", "routing", "web", "cli"}},
	{room: "quota", rooms: []string{"auth", "routing", "web", "cli"}},
	{room: "routing", rooms: []string{"auth", "quota", "web", "cli"}},
	{room: "web", rooms: []string{"cli"}},
	// There is one reader of event streams in the house.
	{room: "internal", rooms: []string{"auth", "quota", "routing", "web", "cli"}, but: [2]string{"internal/respw", "routing/sse"}},
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, rule := range mayNotImport {
			if !in(p.room(), rule.room) {
				continue
			}
			for _, path := range p.Imports {
				target, ours := strings.CutPrefix(path, thisModule+"/")
				if (ours && in(target, rule.rooms...) || path == thisModule) && [2]string{p.room(), target} != rule.but {
					t.Errorf("%s imports %s", p.room(), path)
				}
			}
		}
	}
}

// The domain compiles without Caddy: a package is free of it, or has a file
// module.go that is the only one to import it.
func TestTheCoreKnowsNoCaddy(t *testing.T) {
	modules := 0
	for _, p := range listPackages(t) {
		if !in(p.room(), "auth", "quota", "routing", "internal", "web") {
			continue
		}
		hasModule := false
		for _, file := range p.GoFiles {
			if file == "module.go" {
				hasModule = true
				continue
			}
			for _, path := range fileImports(t, filepath.Join(p.Dir, file)) {
				if strings.HasPrefix(path, caddyPaths) {
					t.Errorf("%s/%s imports %s; that belongs in module.go", p.room(), file, path)
				}
			}
		}
		if hasModule {
			modules++
			continue
		}
		for _, path := range p.Deps {
			if strings.HasPrefix(path, caddyPaths) {
				t.Errorf("%s needs %s to compile", p.room(), path)
				break
			}
		}
	}
	if modules == 0 {
		t.Error("no package has a module.go, so this test reads them wrong")
	}
}

func fileImports(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, imported)
	}
	return paths
}
