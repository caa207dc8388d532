package llmgateway

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the Caddyfiles of testdata/adapt become into them")

const (
	goldenExt    = ".caddyfiletest"
	goldenDashes = "\n----------\n"
)

// Each file of testdata/adapt is a Caddyfile, a line of dashes, and what it
// becomes: the adapted JSON, or the error as the operator reads it.
func TestAdaptGoldens(t *testing.T) {
	files, err := os.ReadDir(filepath.Join("testdata", "adapt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), goldenExt)
		if !ok {
			t.Errorf("testdata/adapt/%s is no %s file, so nothing reads it", file.Name(), goldenExt)
			continue
		}
		t.Run(name, func(t *testing.T) { checkGolden(t, filepath.Join("testdata", "adapt", file.Name())) })
	}
}

func checkGolden(t *testing.T, path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	source, want, split := strings.Cut(string(content), goldenDashes)
	if !split && !*update {
		t.Fatalf("%s has no line of dashes; run the test with -update", path)
	}
	source = strings.TrimSuffix(source, "\n") + "\n"
	if formatted := string(caddyfile.Format([]byte(source))); formatted != source {
		t.Errorf("caddy fmt changes it (-got +formatted):\n%s", cmp.Diff(source, formatted))
	}
	got := adaptText(source)
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("it becomes something else (-want +got):\n%s", cmp.Diff(want, got))
	}
	if err := os.WriteFile(path, []byte(strings.TrimSuffix(source, "\n")+goldenDashes+got), 0o600); err != nil {
		t.Fatal(err)
	}
}

// adaptText returns the JSON that a Caddyfile becomes, or the error.
func adaptText(source string) string {
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(source), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error() + "\n"
	}
	var out bytes.Buffer
	for _, w := range warnings {
		out.WriteString("warning: " + w.String() + "\n")
	}
	if err := json.Indent(&out, adapted, "", "\t"); err != nil {
		return err.Error() + "\n"
	}
	out.WriteByte('\n')
	return out.String()
}

// What no golden expects must still be an error and never a panic.
func FuzzSections(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("testdata", "adapt", "*"+goldenExt))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		source, _, _ := strings.Cut(string(content), goldenDashes)
		if at := strings.Index(source, "llm_gateway"); at >= 0 {
			f.Add(source[at:])
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil {
			return
		}
		d := caddyfile.NewDispenser(tokens)
		if !d.Next() {
			return
		}
		s := newSections()
		if s.parse(d, "llm_gateway", gatewayDirective.takes) != nil || s.check(d.Token(), gatewayDirective.takes) != nil {
			return
		}
		if _, err := json.Marshal(gatewayRoute(s, nil)); err != nil {
			t.Errorf("what the parser took has no JSON: %v", err)
		}
	})
}
