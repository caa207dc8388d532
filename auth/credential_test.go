package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openova-io/llm-gateway/auth"
)

func TestFromHeader(t *testing.T) {
	long := strings.Repeat("A", auth.MaxToken)
	for _, tc := range []struct {
		name   string
		header http.Header
		want   string
		reason auth.Reason
	}{
		{name: "bearer", header: http.Header{"Authorization": {"Bearer abc"}}, want: "abc"},
		{name: "the scheme in any case", header: http.Header{"Authorization": {"bEARER abc"}}, want: "abc"},
		{name: "x-api-key alone", header: http.Header{"X-Api-Key": {"abc"}}, want: "abc"},
		{name: "both, different: bearer decides", header: http.Header{"Authorization": {"Bearer abc"}, "X-Api-Key": {"def"}}, want: "abc"},
		{name: "both, bearer broken: no second try", header: http.Header{"Authorization": {"Basic abc"}, "X-Api-Key": {"def"}}, reason: auth.ReasonMalformed},
		{name: "both, bearer empty: no second try", header: http.Header{"Authorization": {"Bearer"}, "X-Api-Key": {"def"}}, reason: auth.ReasonMissing},
		{name: "the longest", header: http.Header{"Authorization": {"Bearer " + long}}, want: long},
		{name: "longer", header: http.Header{"Authorization": {"Bearer " + long + "A"}}, reason: auth.ReasonMalformed},
		{name: "nothing", header: http.Header{}, reason: auth.ReasonMissing},
		{name: "empty key", header: http.Header{"X-Api-Key": {""}}, reason: auth.ReasonMissing},
		{name: "two Authorization lines", header: http.Header{"Authorization": {"Bearer abc", "Bearer abc"}}, reason: auth.ReasonMalformed},
		{name: "two x-api-key lines", header: http.Header{"X-Api-Key": {"abc", "def"}}, reason: auth.ReasonMalformed},
		{name: "comma list", header: http.Header{"Authorization": {"Bearer abc, Bearer def"}}, reason: auth.ReasonMalformed},
		{name: "comma list without blanks", header: http.Header{"X-Api-Key": {"abc,def"}}, reason: auth.ReasonMalformed},
		{name: "another scheme", header: http.Header{"Authorization": {"Token abc"}}, reason: auth.ReasonMalformed},
		{name: "no scheme", header: http.Header{"Authorization": {"abc"}}, reason: auth.ReasonMalformed},
		{name: "tab", header: http.Header{"Authorization": {"Bearer\tabc"}}, reason: auth.ReasonMalformed},
		{name: "two blanks", header: http.Header{"Authorization": {"Bearer  abc"}}, reason: auth.ReasonMalformed},
		{name: "tab inside", header: http.Header{"Authorization": {"Bearer a\tc"}}, reason: auth.ReasonMalformed},
		{name: "an Anthropic key", header: http.Header{"X-Api-Key": {"sk-ant-api03-abc"}}, reason: auth.ReasonForeignKey},
		{name: "an OpenAI key", header: http.Header{"Authorization": {"Bearer sk-proj-abc"}}, reason: auth.ReasonForeignKey},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := auth.FromHeader(tc.header)
			if tc.reason == "" {
				if err != nil || got != tc.want {
					t.Errorf("FromHeader = %.20q, %v; want %.20q", got, err, tc.want)
				}
				return
			}
			if err == nil || err.Reason != tc.reason {
				t.Errorf("FromHeader = %.20q, %v; want %s", got, err, tc.reason)
			}
		})
	}
}

func TestFromHeaderAllocatesNothing(t *testing.T) {
	h := http.Header{"Authorization": {"Bearer " + strings.Repeat("A", 1400)}}
	if n := testing.AllocsPerRun(100, func() { _, _ = auth.FromHeader(h) }); n != 0 {
		t.Errorf("FromHeader allocates %v times; want 0", n)
	}
}

func TestStrip(t *testing.T) {
	h := http.Header{}
	for _, name := range []string{"authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"} {
		h.Add(name, "CANARY")
		h.Add(name, "CANARY")
	}
	h.Set("Anthropic-Version", "2023-06-01")
	auth.Strip(h)
	if len(h) != 1 || h.Get("Anthropic-Version") == "" {
		t.Errorf("Strip left %v; want only Anthropic-Version", h)
	}
}
