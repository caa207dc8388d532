package llmgateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/quota"
)

// maxProbe bounds the bodies that are looked at for being the quota probe:
// Claude Code's has 287 bytes.
const maxProbe = 2 << 10

// isQuotaProbe recognises the request with which Claude Code, signed in to a
// gateway, asks at every start how much is left: one token of a Haiku for the
// one word "quota". It would eat one of ten requests before the person has
// typed anything, so the gateway answers it.
func isQuotaProbe(a *admission) bool {
	f := a.facts
	if a.endpoint.kind != kindInference || a.dialect != dialect.Anthropic || len(a.body.bytes) > maxProbe ||
		f.Stream || !f.HasMaxTokens || f.MaxTokens != 1 || !strings.Contains(f.Model, "haiku") {
		return false
	}
	for _, absent := range []string{"system", "tools"} {
		if _, ok := f.Lookup(a.body.bytes, absent); ok {
			return false
		}
	}
	messages, ok := f.Lookup(a.body.bytes, "messages")
	if !ok {
		return false
	}
	var list []struct{ Role, Content string }
	err := json.Unmarshal(a.body.bytes[messages.Value.Start:messages.Value.End], &list)
	return err == nil && len(list) == 1 && list[0].Role == "user" && list[0].Content == "quota"
}

// serveQuotaProbe answers the probe from what the store says. It reserves
// nothing and reaches no backend.
func (h *AuthQuota) serveQuotaProbe(w http.ResponseWriter, r *http.Request, a *admission) error {
	usage, err := h.engine.Usage(r.Context(), a.principal.Subject, a.tier.plan)
	if err != nil {
		return a.refuse(w, r, apierr.QuotaUnavailable(a.tier.name).Because(err))
	}
	uses := make([]quota.Use, 0, len(usage.Windows))
	for _, win := range usage.Windows {
		uses = append(uses, quota.Use{Name: win.Name, Unit: win.Unit, Period: win.Period, Limit: win.Limit, Used: win.Used + win.Reserved, Ends: win.Ends})
	}
	header := w.Header()
	setQuotaHeader(header, a.dialect, h.now(), uses)
	header["Request-Id"] = []string{a.requestID}
	header.Set("Cache-Control", "no-store")
	a.outcome.status, a.outcome.word = http.StatusOK, "ok"
	var body bytes.Buffer
	body.WriteString(`{"id":"msg_` + a.requestID[len("req_"):] + `","type":"message","role":"assistant","model":`)
	body.WriteString(strconv.Quote(a.facts.Model))
	body.WriteString(`,"content":[{"type":"text","text":"ok"}],"stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}`)
	return writeBody(w, r, "application/json", body.Bytes())
}

// bytesPerToken is the estimate for count_tokens where a backend cannot be
// asked: code and English in today's vocabularies.
const bytesPerToken = 3.6

// serveEstimate answers count_tokens for a backend that does not speak the
// caller's dialect. It is an estimate, and the docs say so.
func serveEstimate(w http.ResponseWriter, r *http.Request, a *admission) error {
	header := w.Header()
	a.setAnswerHeader(header)
	a.outcome.status, a.outcome.word = http.StatusOK, "ok"
	tokens := int64(float64(len(a.body.bytes))/bytesPerToken) + 1
	return writeBody(w, r, "application/json", []byte(`{"input_tokens":`+strconv.FormatInt(tokens, 10)+`}`))
}
