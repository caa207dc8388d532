// Package apierr decides how a refusal looks on the wire: status, type word,
// headers and text, in the dialect of the caller.
//
// Each constructor words one case of the refusal table: what happened, with the
// numbers, and what to do next. [Write] and [AppendEvent] render it. Type words
// and headers are chosen so that the real clients stop or wait as intended;
// what they do with each answer was recorded with Claude Code and both SDKs.
//
// The package does not know when a request is to be refused, nor who called.
package apierr

// Kind is one case of the refusal table. Kind decides status and type word, per
// dialect, in render.go and nowhere else. The zero Kind is [KindInternal].
type Kind uint8

// The kinds.
const (
	KindInternal         Kind = iota // a fault of the gateway
	KindQuotaSpent                   // used up until a reset that is not worth waiting for
	KindRateLimited                  // used up, and free again within a minute
	KindTooManyAtOnce                // as many requests running as the tier allows
	KindNoCredential                 // no credential in the request
	KindExpired                      // a credential that was good once
	KindNotVerifiable                // signature, issuer, algorithm or form is not ours
	KindWrongAudience                // issued for another application
	KindWrongClient                  // issued to a client that is not on the list
	KindWrongType                    // an ID, refresh or logout token
	KindProviderKey                  // the key of a model provider
	KindRevoked                      // taken back before it expired
	KindServiceAccount               // a machine where only people may call
	KindDisabled                     // the account is switched off
	KindNoTier                       // the account has no plan here
	KindModelDenied                  // the model lies beyond the tier's wall
	KindModelUnknown                 // nobody has the model
	KindAuthUnavailable              // nobody could check the credential
	KindQuotaUnavailable             // the store is away and the tier closed
	KindBackendFull                  // every replica is busy
	KindBackendDown                  // no replica answers
	KindUpstreamAuth                 // the upstream refused our key
	KindUpstream                     // an upstream's own error, put into our shape
	KindStreamBroke                  // an answer that broke off
	KindBodyTooBig                   // the body exceeds the cap
	KindBodyEncoding                 // a content encoding
	KindBodyMedia                    // another media type or charset
	KindBodyInvalid                  // no body that every parser reads the same way
	KindMemberRefused                // a member that may not reach this backend
	KindContextTooLong               // more tokens than the model takes
	KindDialectMismatch              // the model answers in the other dialect only
	KindNotFound                     // no such endpoint
	KindMethodNotAllowed             // the endpoint has other methods
	KindEarlyData                    // 0-RTT data, which can be replayed
	KindDraining                     // the gateway is shutting down
)

// reasons are the words of String, by kind.
var reasons = [...]string{
	KindInternal:         "internal",
	KindQuotaSpent:       "quota",
	KindRateLimited:      "quota",
	KindTooManyAtOnce:    "in_flight",
	KindNoCredential:     "no_token",
	KindExpired:          "expired",
	KindNotVerifiable:    "bad_signature",
	KindWrongAudience:    "wrong_audience",
	KindWrongClient:      "wrong_client",
	KindWrongType:        "wrong_type",
	KindProviderKey:      "provider_key",
	KindRevoked:          "revoked",
	KindServiceAccount:   "service_account",
	KindDisabled:         "disabled",
	KindNoTier:           "no_tier",
	KindModelDenied:      "model",
	KindModelUnknown:     "model",
	KindDialectMismatch:  "model",
	KindAuthUnavailable:  "auth_unavailable",
	KindQuotaUnavailable: "quota_unavailable",
	KindBackendFull:      "upstream_busy",
	KindBackendDown:      "upstream_busy",
	KindUpstreamAuth:     "upstream_auth",
	KindUpstream:         "upstream",
	KindStreamBroke:      "stream_broke",
	KindBodyTooBig:       "body_too_large",
	KindBodyEncoding:     "body",
	KindBodyMedia:        "body",
	KindBodyInvalid:      "body",
	KindMemberRefused:    "body",
	KindContextTooLong:   "body",
	KindNotFound:         "endpoint",
	KindMethodNotAllowed: "endpoint",
	KindEarlyData:        "early_data",
	KindDraining:         "draining",
}

// String returns the reason that metrics and log lines use. Kinds that an
// operator would treat the same share one.
func (k Kind) String() string {
	if int(k) < len(reasons) {
		return reasons[k]
	}
	return reasons[KindInternal]
}
