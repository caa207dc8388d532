package vllmsim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestRefusals holds what no recording shows.
func TestRefusals(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(chatBody("hi"))
	_ = z.Close()
	two := Options{Models: []string{"a", "b"}, MaxBody: 2000}
	for _, tc := range []struct {
		name, method, path string
		header             map[string]string
		body               string
		status             int
		want               string // in the body
	}{
		{name: "gzip", path: "/v1/chat/completions", body: packed.String(), status: 400, want: `{"detail":"There was an error parsing the body"}`},
		{name: "too big", path: "/v1/messages", body: `"` + strings.Repeat("x", 2000) + `"`, status: 413, want: `{"detail":"Request Entity Too Large"}`},
		{name: "aliases", path: "/v1/chat/completions", body: `{"model":"c","messages":[{"role":"user","content":"x"}]}`, status: 404, want: "The model `c` does not exist. Valid aliases: a, b."},
		{name: "not an object", path: "/v1/chat/completions", body: `[1]`, status: 400, want: `'input': '<list of 1 items>'`},
		{name: "null", path: "/v1/chat/completions", body: `null`, status: 400, want: "'loc': 'body'"},
		{name: "no messages", path: "/v1/chat/completions", body: `{"model":"a"}`, status: 400, want: `"param":"body.messages"`},
		{name: "both missing", path: "/v1/messages", body: `{"model":"a"}`, status: 400, want: "2 validation errors:"},
		{name: "n with greedy sampling", path: "/v1/chat/completions", body: `{"messages":[{"role":"user","content":"x"}],"n":2,"temperature":0}`, status: 400, want: "n must be 1 when using greedy sampling, got 2."},
		{name: "n 0", path: "/v1/chat/completions", body: `{"messages":[{"role":"user","content":"x"}],"n":0}`, status: 400, want: "n must be at least 1, got 0."},
		{name: "top_p", path: "/v1/messages", body: `{"max_tokens":1,"messages":[{"role":"user","content":"x"}],"top_p":1.5}`, status: 400, want: `{"type":"error","error":{"type":"BadRequestError","message":"top_p must be in (0, 1], got 1.5.`},
		{name: "wrong type", path: "/v1/chat/completions", body: `{"messages":"x"}`, status: 400, want: "Input should be a valid list"},
		{name: "stream as text", path: "/v1/messages", body: `{"max_tokens":1,"messages":[],"stream":"yes"}`, status: 400, want: `"param":"body.stream"`},
		{name: "budget below the least", path: "/v1/messages", body: `{"max_tokens":9000,"messages":[],"thinking":{"type":"enabled","budget_tokens":10}}`, status: 400, want: "at least 1024"},
		{name: "max_tokens 0", path: "/v1/messages", body: `{"max_tokens":0,"messages":[]}`, status: 400, want: "max_tokens must be positive"},
		{name: "empty messages", path: "/v1/messages", body: `{"max_tokens":1,"messages":[]}`, status: 400, want: "Cannot apply chat template"},
		{name: "tool_choice without tools", path: "/v1/messages", body: `{"max_tokens":1,"messages":[],"tool_choice":{"type":"any"}}`, status: 400, want: "When using `tool_choice`, `tools` must be set."},
		{name: "image", path: "/v1/messages", body: `{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]}`, status: 400, want: "a is not a multimodal model"},
		{name: "other path", path: "/v1/completions", status: 404, want: `{"detail":"Not Found"}`},
		{name: "double slash", path: "//v1/messages", status: 404, want: `{"detail":"Not Found"}`},
		{name: "upper case", path: "/V1/messages", status: 404, want: `{"detail":"Not Found"}`},
		{name: "method", method: "GET", path: "/v1/messages", status: 405, want: `{"detail":"Method Not Allowed"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.method == "" {
				tc.method = "POST"
			}
			a := ask(t, New(two), tc.method, tc.path, jsonType, []byte(tc.body))
			if a.status != tc.status || !strings.Contains(a.body, string(bytes.Trim(encode(tc.want), `"`))) && !strings.Contains(a.body, tc.want) {
				t.Errorf("%s %s answered %d %s, want %d with %s", tc.method, tc.path, a.status, a.body, tc.status, tc.want)
			}
		})
	}
}

func TestKey(t *testing.T) {
	s := New(Options{APIKey: "sk-1"})
	for _, tc := range []struct {
		path, name, value string
		status            int
	}{
		{"/v1/models", "Authorization", "Bearer sk-1", 200},
		{"/v1/models", "Authorization", "bearer sk-1", 200},
		{"/v1/models", "Authorization", "Bearer sk-2", 401},
		{"/v1/models", "Authorization", "sk-1", 401},
		{"/v1/models", "X-Api-Key", "sk-1", 401},
		{"/v1/nothing", "X-Nothing", "", 401},
		{"/health", "X-Nothing", "", 200},
		{"/metrics", "X-Nothing", "", 200},
		{"/version", "X-Nothing", "", 200},
	} {
		a := ask(t, s, "GET", tc.path, map[string]string{tc.name: tc.value}, nil)
		if a.status != tc.status || (a.status == 401 && a.body != `{"error":"Unauthorized"}`) {
			t.Errorf("GET %s with %s %q answered %d %s, want %d", tc.path, tc.name, tc.value, a.status, a.body, tc.status)
		}
	}
}

// TestTokensAgree: the ways of counting a prompt give one number.
func TestTokensAgree(t *testing.T) {
	s := New(Options{PromptTokensDetails: true})
	const text = "How long is a piece of string?"
	count := func(path string, body []byte, member string) int {
		t.Helper()
		a := ask(t, s, "POST", path, jsonType, body)
		m := regexp.MustCompile(`"` + member + `":(\d+)`).FindStringSubmatch(a.body)
		if a.status != 200 || m == nil {
			t.Fatalf("%s answered %d %s", path, a.status, a.body)
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	want := len(splitTokens(text, 4)) + 8
	for path, got := range map[string]int{
		"/tokenize":                 count("/tokenize", chatBody(text), "count"),
		"/v1/chat/completions":      count("/v1/chat/completions", chatBody(text), "prompt_tokens"),
		"/v1/messages":              count("/v1/messages", messageBody(text), "input_tokens"),
		"/v1/messages/count_tokens": count("/v1/messages/count_tokens", []byte(`{"messages":[{"role":"user","content":"`+text+`"}]}`), "input_tokens"),
	} {
		if got != want {
			t.Errorf("%s counts %d tokens, want %d", path, got, want)
		}
	}
}

// TestLimits: an answer is cut at max_tokens and at a stop string, in both
// forms, and usage counts what was generated.
func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		name, prompt, extra string
		told                string
		completion          int
	}{
		{"max_tokens", "[[sim n=50]]", `,"max_tokens":5`, "role assistant|content sim sim sim|finish length |usage|done", 5},
		{"a stop string across tokens", "[[sim say one two three]]", `,"stop":["wo th"]`, "role assistant|content one t|finish stop wo th|usage|done", 5},
		{"a stop string that does not come", "[[sim say one two]]", `,"stop":["two!","x"]`, "role assistant|content one two|finish stop |usage|done", 5},
		{"the earlier of two", "[[sim say a b c]]", `,"stop":["c","b"]`, "role assistant|content a |finish stop b|usage|done", 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := ask(t, New(Options{}), "POST", "/v1/chat/completions", jsonType, chatBody(tc.prompt, tc.extra, streamed, `,"stream_options":{"include_usage":true}`))
			if got := strings.Join(told(t, a.events, false), "|"); got != tc.told {
				t.Errorf("told %q, want %q", got, tc.told)
			}
			whole := ask(t, New(Options{}), "POST", "/v1/chat/completions", jsonType, chatBody(tc.prompt, tc.extra))
			var usage struct {
				Usage struct {
					Completion int `json:"completion_tokens"`
				}
			}
			if err := json.Unmarshal([]byte(whole.body), &usage); err != nil || usage.Usage.Completion != tc.completion {
				t.Errorf("completion_tokens %d (%v), want %d: %s", usage.Usage.Completion, err, tc.completion, whole.body)
			}
		})
	}
}

// cached is an engine with a prefix cache and a queue of its own.
type cached struct{ Scripted }

func (cached) Report() Report {
	return Report{Waiting: 2, KVUsage: 0.5, Preemptions: 3, BlockSize: 128, Blocks: 10, PrefixCaching: true}
}

func TestMetrics(t *testing.T) {
	s := New(Options{Engine: cached{}})
	ask(t, s, "POST", "/v1/messages", jsonType, messageBody("[[sim n=3]]"))
	ask(t, s, "POST", "/v1/chat/completions", jsonType, chatBody("[[sim n=50 die after=4]]", streamed))
	ask(t, s, "GET", "/nowhere", nil, nil)
	text := ask(t, s, "GET", "/metrics", nil, nil).body
	prompts := len(splitTokens("[[sim n=3]]", 4)) + len(splitTokens("[[sim n=50 die after=4]]", 4)) + 16
	for _, want := range []string{
		`vllm:num_requests_running{engine="0",model_name="qwen3-32b"} 0.0`,
		`vllm:num_requests_waiting{engine="0",model_name="qwen3-32b"} 2.0`,
		`vllm:kv_cache_usage_perc{engine="0",model_name="qwen3-32b"} 0.5`,
		`vllm:num_preemptions_total{engine="0",model_name="qwen3-32b"} 3.0`,
		`vllm:prompt_tokens_total{engine="0",model_name="qwen3-32b"} ` + strconv.Itoa(prompts) + ".0",
		`vllm:generation_tokens_total{engine="0",model_name="qwen3-32b"} 10.0`, // 2 tags, 3 words, the end; 4
		`vllm:request_success_total{engine="0",finished_reason="stop",model_name="qwen3-32b"} 1.0`,
		`vllm:request_success_total{engine="0",finished_reason="abort",model_name="qwen3-32b"} 0.0`,
		`vllmsim:aborted_total{engine="0",model_name="qwen3-32b"} 1.0`,
		`vllm:time_to_first_token_seconds_count{engine="0",model_name="qwen3-32b"} 2.0`,
		`vllm:e2e_request_latency_seconds_count{engine="0",model_name="qwen3-32b"} 1.0`,
		`num_gpu_blocks="10"`,
		`http_requests_total{handler="/v1/messages",method="POST",status="2xx"} 1.0`,
		`http_requests_total{handler="none",method="GET",status="4xx"} 1.0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if !regexp.MustCompile(`^(# (HELP|TYPE) \S+ .+|[a-z0-9_:]+\{([a-z_]+="[^"]*",?)+\} \S+)$`).MatchString(line) {
			t.Errorf("not a line of Prometheus text: %q", line)
		}
	}
}

// FuzzBodies: no body makes a route panic or answer with something else than a
// status of the real server.
func FuzzBodies(f *testing.F) {
	f.Add(chatBody("[[sim tool x {"), false)
	f.Add(messageBody("[[sim n=2 think]]", nativeTl), true)
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"text"}]}],"response_format":{"type":"json_schema","json_schema":{"schema":{"$ref":"#"}}}}`), false)
	f.Add([]byte(`{"max_tokens":3,"messages":[{"role":"user","content":[{"type":"tool_result","content":[{}]}]}],"tool_choice":{"type":"any"}}`), true)
	s := New(Options{MaxModelLen: 500})
	f.Fuzz(func(t *testing.T, body []byte, native bool) {
		path := "/v1/chat/completions"
		if native {
			path = "/v1/messages"
		}
		if bytes.Contains(body, []byte("=")) || bytes.Contains(body, []byte("cut")) {
			t.Skip("a script may wait or cut")
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 && w.Code != 404 && w.Code != 500 {
			t.Errorf("%s answered %d %s to %q", path, w.Code, w.Body, body)
		}
	})
}
