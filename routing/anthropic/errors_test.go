package anthropic

import "testing"

func TestStatusOf(t *testing.T) {
	for _, tc := range []struct {
		name, event string
		want        int
	}{
		{name: "overloaded", event: `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, want: 529},
		{name: "the request's fault", event: `{"type":"error","error":{"type":"invalid_request_error","message":"x"}}`, want: 400},
		{name: "a type of tomorrow", event: `{"type":"error","error":{"type":"quantum_error","message":"x"}}`, want: 500},
		{name: "not JSON", event: `Overloaded`, want: 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := StatusOf([]byte(tc.event)); got != tc.want {
				t.Errorf("StatusOf(%s) = %d, want %d", tc.event, got, tc.want)
			}
		})
	}
}

// What is about our own key must be told from what is about the request.
func TestRefused(t *testing.T) {
	event := func(kind, message string) string {
		return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"}}`
	}
	for _, tc := range []struct {
		name, event string
		want        bool
	}{
		{name: "a wrong key", event: event("authentication_error", "invalid x-api-key"), want: true},
		{name: "a key without permission", event: event("permission_error", "Your organization has disabled API access"), want: true},
		{name: "an unpaid bill", event: event("billing_error", "x"), want: true},
		{name: "no message", event: `{"error":{"type":"billing_error"}}`, want: true},
		{name: "no credit", event: event("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), want: true},
		{name: "the request's fault", event: event("invalid_request_error", "max_tokens: Field required")},
		{name: "a quotation", event: event("invalid_request_error", "text: Your credit balance is too low")},
		{name: "overloaded", event: event("overloaded_error", "Overloaded")},
		{name: "too many requests", event: event("rate_limit_error", "x")},
		{name: "an answer about errors", event: `{"type":"message","content":[{"type":"text","text":"authentication_error"}]}`},
		{name: "not JSON", event: `authentication_error`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Refused([]byte(tc.event)); got != tc.want {
				t.Errorf("Refused(%s) = %v, want %v", tc.event, got, tc.want)
			}
		})
	}
}
