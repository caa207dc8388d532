package llmgateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/quota"
)

// setQuotaHeader tells the client how much is left, in the form its dialect
// reads: the window with the least left. Nothing is said of an unlimited tier.
func (a *admission) setQuotaHeader(h http.Header) {
	if a.charge == nil {
		return
	}
	setQuotaHeader(h, a.dialect, a.site.now(), a.charge.Uses())
}

func setQuotaHeader(h http.Header, d dialect.Dialect, now time.Time, uses []quota.Use) {
	tightest := -1
	for i, u := range uses {
		if u.Limit != quota.Unlimited && (tightest < 0 || u.Limit-u.Used < uses[tightest].Limit-uses[tightest].Used) {
			tightest = i
		}
	}
	if tightest < 0 {
		return
	}
	u := &uses[tightest]
	limit := strconv.FormatInt(u.Limit, 10)
	left := strconv.FormatInt(max(0, u.Limit-u.Used), 10)
	wait := max(0, u.Ends.Sub(now)).Round(time.Second)
	seconds := strconv.FormatInt(int64(wait/time.Second), 10)
	if d == dialect.OpenAI {
		h["X-Ratelimit-Limit-Requests"] = []string{limit}
		h["X-Ratelimit-Remaining-Requests"] = []string{left}
		h["X-Ratelimit-Reset-Requests"] = []string{shortDuration(wait)}
	} else {
		h["Anthropic-Ratelimit-Requests-Limit"] = []string{limit}
		h["Anthropic-Ratelimit-Requests-Remaining"] = []string{left}
		h["Anthropic-Ratelimit-Requests-Reset"] = []string{u.Ends.UTC().Format(time.RFC3339)}
	}
	// draft-ietf-httpapi-ratelimit-headers: the policy's window in seconds.
	h["Ratelimit-Policy"] = []string{`"` + string(u.Period) + `";q=` + limit + `;w=86400`}
	h["Ratelimit"] = []string{`"` + string(u.Period) + `";r=` + left + `;t=` + seconds}
}

// shortDuration writes 5h12m0s as OpenAI's reset headers do.
func shortDuration(d time.Duration) string { return d.String() }

// observeUse feeds the user series.
func (h *AuthQuota) observeUse(p *auth.Principal, u quota.Use) {
	label := p.ID
	if h.Metrics != nil {
		switch h.Metrics.UserLabel {
		case "username":
			label = p.Username
		case "hash":
			label = p.Subject
		}
	}
	if label == "" {
		label = p.Subject
	}
	metrics.quotaUsed.observe(label, u.Used, u.Ends)
}
