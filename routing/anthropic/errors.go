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
