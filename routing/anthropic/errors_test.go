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
