package llmgateway

import (
	"errors"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/internal/queue"
	"github.com/openova-io/llm-gateway/quota"
)

// newAdmission starts the record of one request.
func (h *AuthQuota) newAdmission(r *http.Request) *admission {
	ep := findEndpoint(r)
	return &admission{
		site:      h,
		endpoint:  ep,
		dialect:   dialectOf(ep, r),
		requestID: newRequestID(),
		base:      h.linkBase(r),
		arrived:   h.now(),
		facts:     &noFacts,
		client:    clientProgram(r.UserAgent()),
	}
}

// linkBase returns where links in texts lead: the configured URL, else the
// name that the request's TLS certificate answered for, else loopback. A Host
// header alone proves nothing and never becomes a link.
func (h *AuthQuota) linkBase(r *http.Request) string {
	switch {
	case h.PublicURL != "":
		return h.PublicURL
	case r.TLS != nil && r.TLS.ServerName != "":
		if host, port, err := net.SplitHostPort(r.Host); err == nil && host == r.TLS.ServerName {
			return "https://" + net.JoinHostPort(host, port)
		}
		return "https://" + r.TLS.ServerName
	case r.TLS == nil && isLoopbackHost(r.Host):
		return "http://" + r.Host
	default:
		return ""
	}
}

func isLoopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// checkTarget refuses what is no endpoint, no method of it, or no plain
// request.
func checkTarget(ep *endpoint, r *http.Request) *apierr.Error {
	switch {
	case r.Method == http.MethodConnect:
		return apierr.MethodNotAllowed("GET, HEAD, POST, OPTIONS")
	case ep == nil:
		return apierr.NotFound(r.Method, r.URL.Path)
	case r.Method != http.MethodOptions && !ep.allows(r.Method):
		return apierr.MethodNotAllowed(ep.methods)
	case len(r.Header["Upgrade"]) > 0:
		return apierr.NotFound("upgrade of "+r.Method, r.URL.Path)
	case r.TLS != nil && !r.TLS.HandshakeComplete && ep.kind == kindInference:
		// 0-RTT data can be replayed by anyone who saw it (RFC 8470).
		return apierr.EarlyData()
	default:
		return nil
	}
}

func serveOptions(w http.ResponseWriter, ep *endpoint) error {
	w.Header().Set("Allow", ep.methods)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// authRefusal words a refused credential.
func (a *admission) authRefusal(err error) *apierr.Error {
	var refused *auth.Error
	if !errors.As(err, &refused) {
		return apierr.AuthUnavailable().Because(err)
	}
	switch refused.Reason {
	case auth.ReasonMissing:
		return apierr.NoCredential(a.base)
	case auth.ReasonForeignKey:
		return apierr.ProviderKey(a.base)
	case auth.ReasonExpired:
		return apierr.Expired(refused.Detail, a.base)
	case auth.ReasonAudience:
		return apierr.WrongAudience(refused.Detail, refused.Want)
	case auth.ReasonClient:
		return apierr.WrongClient(refused.Detail)
	case auth.ReasonType:
		return apierr.WrongType(refused.Detail)
	case auth.ReasonDisabled:
		return apierr.Disabled()
	case auth.ReasonNoTier:
		return apierr.NoTier()
	case auth.ReasonService:
		return apierr.ServiceAccount()
	case auth.ReasonUnavailable:
		return apierr.AuthUnavailable().Because(err)
	default: // malformed, unverifiable, unknown: nothing more may be said
		return apierr.NotVerifiable(a.base).Because(err)
	}
}

// refusalOf words a refusal of the quota.
func (h *AuthQuota) refusalOf(a *admission, refused *quota.Refusal) *apierr.Error {
	switch refused.Status {
	case quota.Spent:
		return apierr.QuotaSpent(apierr.SpentInfo{
			Tier: refused.Tier, Unit: string(refused.Unit), Period: string(refused.Period),
			Limit: refused.Limit, Used: refused.Used, Resets: refused.Resets,
			Now: h.now(), Base: a.base, Zone: a.tier.zone,
		})
	case quota.InFlight:
		return apierr.TooManyAtOnce(refused.Tier, refused.MaxInFlight)
	case quota.Revoked:
		return apierr.Revoked()
	case quota.Paused:
		return apierr.Disabled()
	default:
		return apierr.Internal(refused)
	}
}

// readBody reads and scans the body, inside the caps of subject and process.
func (h *AuthQuota) readBody(a *admission, r *http.Request) *apierr.Error {
	if e := checkBodyHeaders(r); e != nil {
		return e
	}
	if r.ContentLength > h.MaxBody {
		return apierr.BodyTooBig(h.MaxBody)
	}
	bodies := a.tier.bodies
	key := a.principal.Subject
	if a.endpoint.kind == kindCount {
		bodies, key = countBodies, "count "+key
	}
	hold, err := h.gate.Acquire(r.Context(), key, bodies, bufferSize(r.ContentLength), bodyWait)
	if err != nil {
		return a.gateRefusal(err)
	}
	a.body = &requestBody{hold: hold}
	if err := a.body.read(r, h.MaxBody, h.now); err != nil {
		a.body.release()
		return a.readRefusal(err)
	}
	a.facts = factsPool.Get().(*jsonbody.Facts)
	if err := jsonbody.Scan(a.body.bytes, a.facts); err != nil {
		a.body.release()
		var invalid *jsonbody.Error
		if errors.As(err, &invalid) {
			return apierr.BodyInvalid(invalid.Reason())
		}
		return apierr.Internal(err)
	}
	return nil
}

// factsPool keeps the lists that a scan fills; noFacts stands for a request
// without a body.
var (
	factsPool = sync.Pool{New: func() any { return new(jsonbody.Facts) }}
	noFacts   jsonbody.Facts
)

// checkBodyHeaders refuses bodies that are not plain UTF-8 JSON: what we scan
// must be what every parser behind us reads.
func checkBodyHeaders(r *http.Request) *apierr.Error {
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return apierr.BodyEncoding()
		}
	}
	switch types := r.Header["Content-Type"]; {
	case len(types) == 0 || len(types) == 1 && types[0] == "application/json":
		return nil
	case len(types) > 1:
		return apierr.BodyMedia("several content types")
	default:
		media, params, err := mime.ParseMediaType(types[0])
		charset := params["charset"]
		if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return apierr.BodyMedia(types[0])
		}
		return nil
	}
}

func (a *admission) gateRefusal(err error) *apierr.Error {
	switch {
	case errors.Is(err, queue.ErrKeyFull):
		return apierr.TooManyAtOnce(a.tier.name, int64(a.tier.bodies))
	case errors.Is(err, queue.ErrBudget):
		return apierr.BackendFull("the gateway", bodyWait)
	default:
		return clientGone(err)
	}
}

func (a *admission) readRefusal(err error) *apierr.Error {
	var tooBig *http.MaxBytesError
	switch {
	case errors.Is(err, errBodyTooBig), errors.As(err, &tooBig):
		return apierr.BodyTooBig(a.site.MaxBody)
	case errors.Is(err, queue.ErrBudget), errors.Is(err, queue.ErrKeyFull):
		return a.gateRefusal(err)
	case errors.Is(err, errBodyTooSlow):
		return apierr.BodyInvalid("the body arrives too slowly").Because(err)
	default: // it ended before its announced length, or its framing is broken
		return apierr.BodyInvalid("the body could not be read to its end").Because(err)
	}
}
