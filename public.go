package llmgateway

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/web"
)

// servePublic answers what takes no credential: probes and the page for people.
// Nothing of it is counted or logged, and nothing in it is about anyone.
func (h *AuthQuota) servePublic(w http.ResponseWriter, r *http.Request, a *admission, next caddyhttp.Handler) error {
	switch a.endpoint.kind {
	case kindHealth:
		return writeStatus(w, r, http.StatusOK, "ok")
	case kindReady:
		if h.Routed {
			return next.ServeHTTP(w, r)
		}
		return serveReady(w, r, true)
	case kindRoot:
		if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") && !h.OnboardingOff {
			return web.Start(w, r, h.startPage(a))
		}
		return writeBody(w, r, "text/plain; charset=utf-8", nil)
	case kindAsset:
		if web.Asset(w, r) {
			return nil
		}
		return a.refuse(w, r, apierr.NotFound(r.Method, r.URL.Path))
	default: // kindHello: Claude Code asks whether anybody is there
		return writeBody(w, r, "text/plain; charset=utf-8", nil)
	}
}

// serveReady says whether the gateway may be sent traffic. Trouble of store or
// identity provider does not show here: an outage of theirs must not empty the
// Service.
func serveReady(w http.ResponseWriter, r *http.Request, usable bool) error {
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if repl != nil {
		if stopping, _ := repl.Get("http.shutting_down"); stopping == true {
			return writeStatus(w, r, http.StatusServiceUnavailable, "shutting down")
		}
	}
	if !usable {
		return writeStatus(w, r, http.StatusServiceUnavailable, "no backend")
	}
	return writeStatus(w, r, http.StatusOK, "ok")
}

func writeStatus(w http.ResponseWriter, r *http.Request, status int, word string) error {
	header := w.Header()
	header["Content-Type"] = []string{"application/json"}
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, _ = w.Write([]byte(`{"status":"` + word + `"}` + "\n"))
	return nil
}
