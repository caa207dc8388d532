package anthropic

import (
	"encoding/json"
	"strings"
)

// IsError reports whether the body is an error in the shape of the Messages
// API, which its clients read.
func IsError(body []byte) bool {
	var said struct {
		Type  string `json:"type"`
		Error *struct {
			Message *string `json:"message"`
		} `json:"error"`
	}
	return json.Unmarshal(body, &said) == nil && said.Type == "error" && said.Error != nil && said.Error.Message != nil
}

// statuses are the HTTP statuses of the error types.
// Source: docs.claude.com, "Errors".
var statuses = map[string]int{
	"invalid_request_error": 400,
	"authentication_error":  401,
	"billing_error":         402,
	"permission_error":      403,
	"not_found_error":       404,
	"request_too_large":     413,
	"rate_limit_error":      429,
	"api_error":             500,
	"timeout_error":         504,
	"overloaded_error":      529,
}

// StatusOf returns the status that belongs to an error which the API reported
// inside a stream; 500 for a type that is not known. Where [Refused] holds, the
// status is of the gateway's own request: no client may see it.
func StatusOf(event []byte) int {
	kind, _ := said(event)
	if status := statuses[kind]; status != 0 {
		return status
	}
	return statuses["api_error"]
}

// noCredit begins the message with which the API refuses a key whose account is
// empty, in an invalid_request_error.
const noCredit = "Your credit balance is too low"

// Refused reports whether an error, as a body or as an event of a stream, is
// the provider's refusal of our key or of the account behind it. Its words are
// about the gateway, not about the client, which would take them for its own.
func Refused(event []byte) bool {
	kind, message := said(event)
	switch kind {
	case "authentication_error", "permission_error", "billing_error":
		return true
	case "invalid_request_error":
		return strings.HasPrefix(message, noCredit)
	}
	return false
}

// said returns the type and the message of an error; "" where it has none.
func said(event []byte) (kind, message string) {
	var e struct {
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(event, &e) != nil {
		return "", ""
	}
	return e.Error.Type, e.Error.Message
}
