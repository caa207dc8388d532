package llmgateway

import (
	"context"
	"errors"
	"time"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/internal/dialect"
	"github.com/openova-io/llm-gateway/internal/jsonbody"
	"github.com/openova-io/llm-gateway/internal/respw"
	"github.com/openova-io/llm-gateway/quota"
	"github.com/openova-io/llm-gateway/routing"
)

// admission is what is known of one request and what was promised for it. It
// is made by llm_auth_quota, travels in the request's context, and is filled
// on the way: principal, facts, route, charge, outcome. llm_auth_quota ends it
// in a defer, whatever happened in between.
type admission struct {
	site      *AuthQuota
	endpoint  *endpoint
	dialect   dialect.Dialect
	requestID string
	base      string // where links in texts lead; "" for no links
	arrived   time.Time
	client    string // bounded name of the client program, for the log

	principal *auth.Principal
	tier      *compiledTier // nil until the principal is known
	body      *requestBody
	facts     *jsonbody.Facts // of the body; noFacts where there is none

	charge  *quota.Reservation
	settled bool
	// sent tells that the request may have left: then a failure counts as a
	// refund, and refunds are bounded.
	sent bool

	route  routing.Route
	routed bool
	denied bool
	// deniedPattern is the bounded name of what the table refused.
	deniedPattern string
	outcome       outcome
}

// outcome is what became of a request, for log and metrics.
type outcome struct {
	status    int
	refusal   *apierr.Error
	word      string // ok, refused, client_gone, upstream_error, aborted
	charge    string // settled, released, kept, pending; empty if none was taken
	firstByte time.Time
	answer    respw.Outcome
}

type admissionKey struct{}

// admissionFrom returns the request's admission, or nil where llm_auth_quota
// does not stand in front.
func admissionFrom(ctx context.Context) *admission {
	a, _ := ctx.Value(admissionKey{}).(*admission)
	return a
}

// reserve takes the charge for the request, once. It is called when the route
// is known, so that nothing refused by the table ever touches the store.
func (a *admission) reserve(ctx context.Context) *apierr.Error {
	if a.charge != nil || a.endpoint.kind != kindInference {
		return nil
	}
	charge, err := a.site.engine.Reserve(ctx, quota.Claim{
		Subject:  a.principal.Subject,
		Session:  a.principal.Session,
		IssuedAt: a.principal.IssuedAt,
		Plan:     a.tier.plan,
	})
	if err != nil {
		return a.quotaRefusal(err)
	}
	a.charge = charge
	if uses := charge.Uses(); len(uses) > 0 {
		a.site.observeUse(a.principal, uses[0])
	}
	return nil
}

// quotaRefusal words the engine's refusal for the caller.
func (a *admission) quotaRefusal(err error) *apierr.Error {
	var refused *quota.Refusal
	switch {
	case errors.As(err, &refused):
		return a.site.refusalOf(a, refused)
	case errors.Is(err, context.Canceled):
		return clientGone(err)
	default:
		return apierr.QuotaUnavailable(a.tier.name).Because(err)
	}
}

// keep settles the charge: an answer was given, or begun.
func (a *admission) keep(why string) {
	if a.charge == nil || a.settled {
		return
	}
	a.settled = true
	a.charge.Keep(a.ledgerEntry(why))
	a.outcome.charge = "settled"
}

// giveBack returns the charge before the error leaves, because clients retry
// at once and must not meet their own charge. It reports whether the store has
// confirmed that nothing stays charged: only then may a text say so.
func (a *admission) giveBack(ctx context.Context, mode quota.Mode, why string) bool {
	if a.charge == nil {
		return false
	}
	if !a.settled {
		a.settled = true
		result, err := a.charge.GiveBack(context.WithoutCancel(ctx), mode, a.ledgerEntry(why))
		switch {
		case err != nil:
			a.outcome.charge = "pending" // it goes on in the background
		case result == quota.Unknown:
			// Settled before, by a call whose answer was lost: which way, nobody
			// can say any more.
			a.outcome.charge = "pending"
		case result == quota.Kept:
			a.outcome.charge = "kept" // too many refunds in this window
		default:
			a.outcome.charge = "released"
		}
	}
	return a.outcome.charge == "released"
}

func (a *admission) ledgerEntry(why string) quota.Entry {
	return quota.Entry{Model: a.route.Model, Why: why, RequestID: a.requestID}
}

// clientGone is what is answered where nobody listens any more.
func clientGone(cause error) *apierr.Error { return apierr.Draining().Because(cause) }
