package llmgateway

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/web"
)

// startPage is the set-up page, with the plans as configured.
func (h *AuthQuota) startPage(a *admission) web.StartPage {
	page := web.StartPage{Base: cmp.Or(a.base, "https://this-host")}
	tiers := h.Tiers
	if len(tiers) == 0 {
		tiers = defaultTiers
	}
	for _, t := range tiers {
		plan := web.Plan{Name: t.Name, Resets: resetWords(t.Reset)}
		for _, l := range t.Limits {
			plan.Limits = append(plan.Limits, limitWords(l))
		}
		page.Plans = append(page.Plans, plan)
	}
	return page
}

func limitWords(l Limit) string {
	if l.Amount == quota.Unlimited {
		return "unlimited " + l.Unit
	}
	return fmt.Sprintf("%d %s a %s", l.Amount, l.Unit, l.Per)
}

func resetWords(r *Reset) string {
	if r == nil {
		return "00:00 UTC"
	}
	return cmp.Or(r.At, "00:00") + " " + cmp.Or(r.Zone, "UTC")
}

// writeQuotaPage writes the report for a browser.
func (h *AuthQuota) writeQuotaPage(w http.ResponseWriter, r *http.Request, a *admission, report *quotaReport) error {
	page := web.QuotaPage{Base: cmp.Or(a.base, "https://this-host"), Tier: report.Tier, InFlight: "any number may run"}
	if report.InFlight.Limit != nil {
		page.InFlight = fmt.Sprintf("%d of %d", report.InFlight.Used, *report.InFlight.Limit)
	}
	for _, win := range report.Windows {
		shown := web.QuotaWindow{
			Name: win.Unit + " a " + win.Per, Unlimited: win.Limit == nil, Used: win.Used + win.Reserved,
			Resets: win.Resets, ResetsIn: apierr.Span(win.Resets.Sub(h.now())),
		}
		if win.Limit != nil {
			shown.Limit, shown.Left = *win.Limit, *win.Remaining
		}
		page.Windows = append(page.Windows, shown)
	}
	for _, m := range report.Models {
		page.Models = append(page.Models, web.QuotaModel{Asked: m.ID, Answers: m.RoutedTo, Backend: m.Backend})
	}
	for _, l := range report.Ledger {
		page.Ledger = append(page.Ledger, web.QuotaLine{At: l.At, Change: l.Change, Model: l.Model, Why: l.Why, RequestID: l.RequestID})
	}
	return web.Quota(w, r, page)
}

// refuse answers with an error in the caller's dialect; a person's browser
// outside /v1 gets a page with the same sentence. A charge that was taken is
// given back first.
func (a *admission) refuse(w http.ResponseWriter, r *http.Request, e *apierr.Error) error {
	mode := quota.GiveBack
	if !a.sent {
		mode = quota.Void
	}
	if a.giveBack(r.Context(), mode, "refunded: "+e.Kind.String()) {
		e = e.NotCounted()
	}
	a.outcome.refusal = e
	a.outcome.word = cmp.Or(a.outcome.word, "refused")
	a.outcome.status = e.StatusIn(a.dialect)
	if r.Context().Err() != nil { // nobody reads it, and nothing was refused
		a.outcome.refusal, a.outcome.word, a.outcome.status = nil, "client_gone", statusClientGone
	}
	if web.WantsPage(r) && !strings.HasPrefix(r.URL.Path, "/v1/") {
		w.Header().Set("Request-Id", a.requestID)
		return web.Refusal(w, r, web.RefusalPage{Base: a.base, Status: e.StatusIn(a.dialect), Message: e.Message})
	}
	if r.ProtoMajor == 1 && a.body == nil && len(r.Header["Expect"]) > 0 {
		// The client waits to be asked for its body. Without this the server
		// would wait for it too, before it lets go of the answer.
		w.Header().Set("Connection", "close")
	}
	apierr.Write(w, a.dialect, e, a.requestID)
	return nil
}
