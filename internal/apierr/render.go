package apierr

import "net/http"

// statusOverloaded is the status by which the Anthropic API says that it is
// full.
const statusOverloaded = 529

// form is how one dialect says a kind: status, type and code. Code is "" in
// the Anthropic dialect, and where the OpenAI API has none.
type form struct {
	status int
	typ    string
	code   string
}

// anthropic is the table of the Messages API. Claude Code asks "run /login" at
// a 403, hides our text at a 404 and repeats unknown 400s six times, so what a
// plan does not cover is policy_blocked: shown, and sent once.
func (e *Error) anthropic() form {
	switch e.Kind {
	case KindInternal:
		return form{status: http.StatusInternalServerError, typ: "api_error"}
	case KindQuotaSpent:
		return form{status: http.StatusTooManyRequests, typ: "billing_error"}
	case KindRateLimited, KindTooManyAtOnce:
		return form{status: http.StatusTooManyRequests, typ: "rate_limit_error"}
	case KindNoCredential, KindExpired, KindNotVerifiable, KindWrongAudience, KindWrongClient,
		KindWrongType, KindProviderKey, KindRevoked, KindServiceAccount:
		return form{status: http.StatusUnauthorized, typ: "authentication_error"}
	case KindDisabled, KindNoTier, KindModelDenied, KindDialectMismatch:
		return form{status: http.StatusBadRequest, typ: "policy_blocked"}
	case KindModelUnknown, KindNotFound:
		return form{status: http.StatusNotFound, typ: "not_found_error"}
	case KindAuthUnavailable, KindQuotaUnavailable, KindDraining:
		return form{status: http.StatusServiceUnavailable, typ: "api_error"}
	case KindBackendFull, KindBackendDown:
		return form{status: statusOverloaded, typ: "overloaded_error"}
	case KindUpstreamAuth, KindStreamBroke:
		return form{status: http.StatusBadGateway, typ: "api_error"}
	case KindUpstream:
		return anthropicUpstream(e.Status)
	case KindBodyTooBig:
		return form{status: http.StatusRequestEntityTooLarge, typ: "request_too_large"}
	case KindBodyEncoding, KindBodyMedia:
		return form{status: http.StatusUnsupportedMediaType, typ: "invalid_request_error"}
	case KindBodyInvalid, KindMemberRefused, KindContextTooLong:
		return form{status: http.StatusBadRequest, typ: "invalid_request_error"}
	case KindMethodNotAllowed:
		return form{status: http.StatusMethodNotAllowed, typ: "invalid_request_error"}
	case KindEarlyData:
		return form{status: http.StatusTooEarly, typ: "invalid_request_error"}
	}
	return form{status: http.StatusInternalServerError, typ: "api_error"}
}

// Type words of the OpenAI dialect that stand at several kinds.
const (
	invalid = "invalid_request_error"
	server  = "server_error"
)

// openAI is the table of the chat completions API. Its SDKs have a class for
// each status, so a status means what HTTP says.
func (e *Error) openAI() form {
	switch e.Kind {
	case KindInternal:
		return form{http.StatusInternalServerError, server, "internal_error"}
	case KindQuotaSpent:
		return form{http.StatusTooManyRequests, "insufficient_quota", "insufficient_quota"}
	case KindRateLimited, KindTooManyAtOnce:
		return form{http.StatusTooManyRequests, "rate_limit_exceeded", "rate_limit_exceeded"}
	case KindNoCredential:
		return form{http.StatusUnauthorized, invalid, "missing_api_key"}
	case KindExpired, KindNotVerifiable, KindWrongAudience, KindWrongClient,
		KindWrongType, KindProviderKey, KindRevoked, KindServiceAccount:
		return form{http.StatusUnauthorized, invalid, "invalid_api_key"}
	case KindDisabled, KindNoTier:
		return form{http.StatusForbidden, "permission_error", "permission_denied"}
	case KindModelDenied:
		return form{http.StatusForbidden, invalid, "model_not_allowed"}
	case KindModelUnknown:
		return form{http.StatusNotFound, invalid, "model_not_found"}
	case KindDialectMismatch:
		return form{http.StatusBadRequest, invalid, "model_not_supported"}
	case KindAuthUnavailable:
		return form{http.StatusServiceUnavailable, server, "auth_unavailable"}
	case KindQuotaUnavailable:
		return form{http.StatusServiceUnavailable, server, "quota_unavailable"}
	case KindBackendFull, KindBackendDown, KindDraining:
		return form{http.StatusServiceUnavailable, server, "overloaded"}
	case KindUpstreamAuth:
		return form{http.StatusBadGateway, server, "upstream_auth"}
	case KindStreamBroke:
		return form{http.StatusBadGateway, server, ""}
	case KindUpstream:
		return openAIUpstream(e.Status)
	case KindContextTooLong:
		return form{http.StatusBadRequest, invalid, "context_length_exceeded"}
	case KindBodyTooBig:
		return form{http.StatusRequestEntityTooLarge, invalid, ""}
	case KindBodyEncoding, KindBodyMedia:
		return form{http.StatusUnsupportedMediaType, invalid, ""}
	case KindBodyInvalid, KindMemberRefused:
		return form{http.StatusBadRequest, invalid, ""}
	case KindNotFound:
		return form{http.StatusNotFound, "not_found_error", ""}
	case KindMethodNotAllowed:
		return form{http.StatusMethodNotAllowed, invalid, ""}
	case KindEarlyData:
		return form{http.StatusTooEarly, invalid, ""}
	}
	return form{http.StatusInternalServerError, server, "internal_error"}
}

// anthropicUpstream is the type word that belongs to a status. A full upstream
// is 529, which Claude Code answers with its fallback model.
func anthropicUpstream(status int) form {
	f := form{status: status, typ: "api_error"}
	switch {
	case status == http.StatusServiceUnavailable || status == statusOverloaded:
		return form{status: statusOverloaded, typ: "overloaded_error"}
	case status == http.StatusTooManyRequests:
		f.typ = "rate_limit_error"
	case status == http.StatusNotFound:
		f.typ = "not_found_error"
	case status == http.StatusRequestEntityTooLarge:
		f.typ = "request_too_large"
	case status == http.StatusGatewayTimeout:
		f.typ = "timeout_error"
	case status < http.StatusInternalServerError:
		f.typ = "invalid_request_error"
	}
	return f
}

// openAIUpstream is the same for the OpenAI dialect, which has no 529.
func openAIUpstream(status int) form {
	f := form{status: status, typ: server}
	switch {
	case status == http.StatusServiceUnavailable || status == statusOverloaded:
		return form{http.StatusServiceUnavailable, server, "overloaded"}
	case status == http.StatusTooManyRequests:
		f.typ, f.code = "rate_limit_exceeded", "rate_limit_exceeded"
	case status < http.StatusInternalServerError:
		f.typ = invalid
	}
	return f
}
