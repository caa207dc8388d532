package llmgateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/routing"
)

// quotaReport is what GET /quota says, in JSON as it stands here. Looking is
// free, is never counted and works at zero.
type quotaReport struct {
	Object    string        `json:"object"`
	Tier      string        `json:"tier"`
	Subject   string        `json:"subject"`
	Unlimited bool          `json:"unlimited"`
	Windows   []quotaWindow `json:"windows"`
	InFlight  quotaInFlight `json:"in_flight"`
	OnSpent   string        `json:"on_spent"`
	Models    []quotaModel  `json:"models"`
	Ledger    []ledgerLine  `json:"ledger"`
	Store     string        `json:"store"`
	StoreKind string        `json:"store_kind"`
	At        time.Time     `json:"generated_at"`
}

// quotaWindow is one limit. used + reserved + remaining = limit; Limit and
// Remaining are null where there is no limit.
type quotaWindow struct {
	Unit      string    `json:"unit"`
	Per       string    `json:"per"`
	Limit     *int64    `json:"limit"`
	Used      int64     `json:"used"`
	Reserved  int64     `json:"reserved"`
	Remaining *int64    `json:"remaining"`
	Starts    time.Time `json:"starts_at"`
	Resets    time.Time `json:"resets_at"`
	ResetsIn  int64     `json:"resets_in_seconds"`
	Source    string    `json:"source"`
}

type quotaInFlight struct {
	Used  int64  `json:"used"`
	Limit *int64 `json:"limit"`
}

type quotaModel struct {
	ID       string `json:"id"`
	RoutedTo string `json:"routed_to"`
	Backend  string `json:"backend"`
	Reason   string `json:"reason,omitempty"`
}

type ledgerLine struct {
	At        time.Time `json:"at"`
	Change    int64     `json:"change"`
	Unit      string    `json:"unit,omitempty"`
	Model     string    `json:"model,omitempty"`
	Why       string    `json:"why"`
	RequestID string    `json:"request_id"`
}

// serveQuota answers GET /quota. The models are known to llm_model_route; where
// it stands behind, it completes the report.
func (h *AuthQuota) serveQuota(w http.ResponseWriter, r *http.Request, a *admission, next caddyhttp.Handler) error {
	if h.Routed {
		return next.ServeHTTP(w, r)
	}
	return h.writeQuota(w, r, a, nil)
}

// writeQuota writes the report in the form that the caller reads.
func (h *AuthQuota) writeQuota(w http.ResponseWriter, r *http.Request, a *admission, models []routing.VisibleModel) error {
	usage, err := h.engine.Usage(r.Context(), a.principal.Subject, a.tier.plan)
	if err != nil {
		return a.refuse(w, r, apierr.QuotaUnavailable(a.tier.name).Because(err))
	}
	report := h.quotaReport(a, &usage, models)
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept")
	header.Set("Request-Id", a.requestID)
	a.outcome.status, a.outcome.word = http.StatusOK, "ok"
	switch quotaForm(r) {
	case formText:
		return writeBody(w, r, "text/plain; charset=utf-8", []byte(report.text(h.now())+"\n"))
	case formHTML:
		return h.writeQuotaPage(w, r, a, report)
	default:
		body, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("encoding quota: %w", err)
		}
		return writeBody(w, r, "application/json", append(body, '\n'))
	}
}

type reportForm uint8

const (
	formJSON reportForm = iota
	formText
	formHTML
)

// quotaForm chooses the form: ?format=text, else what Accept asks for.
func quotaForm(r *http.Request) reportForm {
	accept := r.Header.Get("Accept")
	switch {
	case r.URL.Query().Get("format") == "text", strings.HasPrefix(accept, "text/plain"):
		return formText
	case strings.Contains(accept, "text/html"):
		return formHTML
	default:
		return formJSON
	}
}

func (h *AuthQuota) quotaReport(a *admission, usage *quota.Usage, models []routing.VisibleModel) *quotaReport {
	now := h.now()
	report := &quotaReport{
		Object: "quota", Tier: a.tier.name, Subject: a.principal.Subject, Unlimited: a.tier.unlimited,
		InFlight: quotaInFlight{Used: usage.InFlight, Limit: limitOrNil(usage.MaxInFlight)},
		OnSpent:  "refuse", Store: "ok", StoreKind: h.quota.Kind(), At: now.UTC().Truncate(time.Second),
		Windows: []quotaWindow{}, Models: []quotaModel{}, Ledger: []ledgerLine{},
	}
	for _, u := range usage.Windows {
		report.Windows = append(report.Windows, quotaWindow{
			Unit: string(u.Unit), Per: string(u.Period), Limit: limitOrNil(u.Limit), Used: u.Used, Reserved: u.Reserved,
			Remaining: remainingOrNil(u.Limit, u.Remaining), Starts: u.Starts.UTC(), Resets: u.Ends.UTC(),
			ResetsIn: int64(max(0, u.Ends.Sub(now)) / time.Second), Source: "tier",
		})
	}
	for _, m := range models {
		report.Models = append(report.Models, quotaModel{ID: m.ID, RoutedTo: m.RoutedTo, Backend: m.Backend, Reason: string(m.Reason)})
	}
	for _, e := range usage.Ledger {
		report.Ledger = append(report.Ledger, ledgerLine{At: e.At.UTC(), Change: e.Change, Unit: string(e.Unit), Model: e.Model, Why: e.Why, RequestID: e.RequestID})
	}
	return report
}

func limitOrNil(limit int64) *int64 {
	if limit < 0 {
		return nil
	}
	return &limit
}

func remainingOrNil(limit, remaining int64) *int64 {
	if limit == quota.Unlimited {
		return nil
	}
	return &remaining
}

// text is the report in one line of ASCII, for status lines and scripts.
func (q *quotaReport) text(now time.Time) string {
	if len(q.Windows) == 0 {
		return q.Tier
	}
	win := q.Windows[0]
	for _, candidate := range q.Windows[1:] {
		if candidate.Remaining != nil && (win.Remaining == nil || *candidate.Remaining < *win.Remaining) {
			win = candidate
		}
	}
	if win.Limit == nil {
		return fmt.Sprintf("%s unlimited, %d %s today", q.Tier, win.Used+win.Reserved, win.Unit)
	}
	word := ""
	if *win.Remaining == 0 {
		word = " USED UP"
	}
	return fmt.Sprintf("%s %d/%d %s%s, resets %s UTC (%s)", q.Tier, win.Used+win.Reserved, *win.Limit, win.Unit, word,
		win.Resets.Format("15:04"), apierr.Span(win.Resets.Sub(now)))
}

// writeBody writes a small answer; HEAD gets its headers. That a client is gone
// is no error: Caddy would log the request with it, as it came, token included.
func writeBody(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", fmt.Sprint(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, _ = w.Write(body)
	return nil
}
