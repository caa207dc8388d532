// Package web writes the pages that people see in a browser: how to set up a
// client, what they used, and why something was refused.
//
// Pages need no script, ask no other host, set no cookie and carry a strict
// content security policy. The package decides how things look; what is true
// is told to it.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed assets/*
var assets embed.FS

// contentSecurityPolicy forbids everything but our own style sheet.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

var pages = parsePages("start", "quota", "refusal")

// parsePages puts each page into the one layout.
func parsePages(names ...string) map[string]*template.Template {
	parsed := make(map[string]*template.Template, len(names))
	for _, name := range names {
		t := template.New("layout.html").Funcs(template.FuncMap{
			"clock": func(t time.Time) string { return t.UTC().Format("Jan 2 15:04 UTC") },
			"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		})
		parsed[name] = template.Must(t.ParseFS(templates, "templates/layout.html", "templates/"+name+".html"))
	}
	return parsed
}

// write renders a page. A page that cannot be rendered is an error before
// anything was sent.
func write(w http.ResponseWriter, r *http.Request, status int, page string, data any) error {
	var body bytes.Buffer
	if err := pages[page].Execute(&body, data); err != nil {
		return fmt.Errorf("rendering page %s: %w", page, err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, _ = body.WriteTo(w) // a client that left is no concern of ours
	return nil
}

// Asset answers GET /assets/<name> and reports whether there is such a file.
func Asset(w http.ResponseWriter, r *http.Request) bool {
	name := strings.TrimPrefix(r.URL.Path, "/assets/")
	body, err := assets.ReadFile(path.Join("assets", path.Clean("/"+name)))
	if err != nil || name == "" {
		return false
	}
	header := w.Header()
	header.Set("Content-Type", "text/css; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "public, max-age=3600")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left is no concern of ours
	}
	return true
}

// WantsPage reports whether the caller is a person's browser.
func WantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
