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
	values := make(headerValues, 0, 5)
	if d == dialect.OpenAI {
		values.set(h, "X-Ratelimit-Limit-Requests", limit)
		values.set(h, "X-Ratelimit-Remaining-Requests", left)
		values.set(h, "X-Ratelimit-Reset-Requests", wait.String())
	} else {
		values.set(h, "Anthropic-Ratelimit-Requests-Limit", limit)
		values.set(h, "Anthropic-Ratelimit-Requests-Remaining", left)
		values.set(h, "Anthropic-Ratelimit-Requests-Reset", u.Ends.UTC().Format(time.RFC3339))
	}
	// draft-ietf-httpapi-ratelimit-headers-11: a calendar day is taken as 24 h.
	period := string(u.Period)
	values.set(h, "Ratelimit-Policy", `"`+period+`";q=`+limit+`;w=86400`)
	values.set(h, "Ratelimit", `"`+period+`";r=`+left+`;t=`+strconv.FormatInt(int64(wait/time.Second), 10))
}

// headerValues backs the values of several headers with one allocation. It must
// be made with room for all of them.
type headerValues []string

// set sets a header whose name is canonical.
func (v *headerValues) set(h http.Header, name, value string) {
	n := len(*v)
	*v = append(*v, value)
	h[name] = (*v)[n : n+1 : n+1]
}

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
