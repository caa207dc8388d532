package anthropic

import "encoding/json"

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
// inside a stream; 500 for a type that is not known.
func StatusOf(event []byte) int {
	var said struct {
		Error struct {
			Type string `json:"type"`
		} `json:"error"`
	}
	if json.Unmarshal(event, &said) == nil && statuses[said.Error.Type] != 0 {
		return statuses[said.Error.Type]
	}
	return statuses["api_error"]
}
