package apierr

import (
	"fmt"
	"time"
)

// The refusals that are about the request itself.

// BodyTooBig is row 19: the body exceeds most bytes.
func BodyTooBig(most int64) *Error {
	return &Error{Kind: KindBodyTooBig, Message: "Request body is larger than " + bytesOf(most) + ". Leave files out, or start a new conversation."}
}

// BodyEncoding is row 19 for a compressed body.
func BodyEncoding() *Error {
	return &Error{Kind: KindBodyEncoding, Message: "Encoded request bodies are not taken. Send it without content-encoding."}
}

// BodyMedia is row 19 for another media type or charset.
func BodyMedia(contentType string) *Error {
	if contentType == "" {
		contentType = "of no content type"
	}
	return &Error{Kind: KindBodyMedia, Message: clip("Request body is " + word(contentType, 80) + ". Send application/json in UTF-8.")}
}

// BodyInvalid is row 19 for a body that is no JSON object which every parser
// reads the same way. reason goes on from "Request body", as
// jsonbody.Error.Reason does: "has two members named model".
func BodyInvalid(reason string) *Error {
	return &Error{Kind: KindBodyInvalid, Message: clip("Request body " + word(reason, 200) + ".")}
}

// MemberRefused refuses a member of the body that may not reach the backend of
// that model.
func MemberRefused(name, model string) *Error {
	name = word(name, 64)
	return &Error{
		Kind:    KindMemberRefused,
		Message: clip(name + " may not be sent to " + word(model, 64) + ". Leave it out."),
		Param:   name,
	}
}

// ContextTooLong is row 20, in the one wording that every version of Claude
// Code answers by compacting.
func ContextTooLong(tokens, most int64) *Error {
	return &Error{
		Kind:    KindContextTooLong,
		Message: fmt.Sprintf("prompt is too long: %d tokens > %d maximum", tokens, most),
		Param:   "messages",
	}
}

// NotFound is row 21.
func NotFound(method, path string) *Error {
	return &Error{
		Kind: KindNotFound,
		Message: clip("No such endpoint: " + word(method, 16) + " " + word(path, 80) +
			". This gateway serves /v1/messages, /v1/chat/completions, /v1/models and /quota."),
	}
}

// MethodNotAllowed is row 21 for an endpoint that has other methods; allow is
// the value of the Allow header: "GET, HEAD".
func MethodNotAllowed(allow string) *Error {
	return &Error{Kind: KindMethodNotAllowed, Message: "This endpoint does not have that method. Use " + allow + ".", Allow: allow}
}

// EarlyData refuses what came as TLS early data and could be charged: anybody
// on the path may send it once more. HTTP clients repeat it by themselves.
func EarlyData() *Error {
	return &Error{Kind: KindEarlyData, Message: "This request came as TLS early data, which can be replayed. Send it again."}
}

// Draining refuses what arrives while the gateway shuts down.
func Draining() *Error {
	return &Error{Kind: KindDraining, Message: "The gateway is restarting. Trying again helps.", RetryAfter: time.Second}
}

// Internal is a fault of the gateway. cause is for the log.
func Internal(cause error) *Error {
	return &Error{
		Kind:    KindInternal,
		Message: "The gateway failed. Trying again may help; if not, give your administrator the request id.",
		Cause:   cause,
	}
}
