package llmgateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// claudeSite sends everything to an Anthropic backend with a key.
func claudeSite(more string) func(dir, upstream string) string {
	return func(dir, upstream string) string {
		return fmt.Sprintf(`llm_gateway {
			auth users %[1]s/users.json
			quota embedded %[1]s/quota
			backend claude anthropic %[2]s {
				key {env.LEAK_TEST_KEY}
			}
			tier tiny {
				limit 300 requests per day
				allow claude
				%[3]s
			}
			tier wide {
				limit unlimited
				allow claude
			}
		}`, dir, upstream, more)
	}
}

// A backend's key is in no log, whatever Caddy's proxy says about a request: at
// level debug, when the upstream breaks off, and when the client leaves. It
// arrives all the same.
func TestBackendKeyIsNeverLogged(t *testing.T) {
	const key = "CANARY-backend-key"
	t.Setenv("LEAK_TEST_KEY", key)
	g := startSite(t, "debug", claudeSite(""))
	arrived := make(chan string, 3)
	g.answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("X-Api-Key")
		sseEvents(w, append(streamStart[:2:2], streamText)...)
		time.Sleep(50 * time.Millisecond)
		hangUp(w)
	})
	if _, text := g.do("wide", http.MethodPost, "/v1/messages?k=CANARY-query", streamBody); !strings.Contains(text, "event: error") {
		t.Errorf("a stream that breaks off = %s", text)
	}
	g.answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("X-Api-Key")
		sseEvents(w, append(streamStart[:2:2], streamText)...)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	res, err := http.DefaultClient.Do(g.request("wide", http.MethodPost, "/v1/messages", streamBody).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := res.Body.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel()
	res.Body.Close()
	g.wantUsed("wide", 1)
	for range 2 {
		if got := <-arrived; got != key {
			t.Errorf("the backend got key %q", got)
		}
	}
	if text := g.logged(); strings.Contains(text, "CANARY") || strings.Contains(text, g.token["wide"]) {
		t.Error("a log line holds the backend's key, the client's query or its token")
	} else if !strings.Contains(text, "aborting with incomplete response") {
		t.Error("the proxy logged nothing about the broken streams, so this proves nothing")
	}
}

// A client that resets its connection while it is answered leaves no token in
// Caddy's error log.
func TestClientTokenIsNotInTheErrorLog(t *testing.T) {
	g := startGateway(t, "")
	for i := range 60 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /quota HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\n\r\n", g.token["tiny"])
		time.Sleep(time.Duration(i) * 20 * time.Microsecond)
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	time.Sleep(100 * time.Millisecond)
	if strings.Contains(g.logged(), g.token["tiny"]) {
		t.Error("the client's token is in the log")
	}
}

// Connections that announce much and send nothing keep nobody from being
// served.
func TestStalledBodiesHoldNoBudget(t *testing.T) {
	g := startGateway(t, "")
	for _, path := range []string{"/v1/messages", "/v1/messages/count_tokens"} {
		for range 4 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\nContent-Length: 33554432\r\n\r\n{", path, g.token["tiny"])
		}
	}
	time.Sleep(100 * time.Millisecond)
	if res, text := g.do("wide", http.MethodPost, "/v1/messages", helloBody); res.StatusCode != http.StatusOK {
		t.Errorf("another user = %d %s", res.StatusCode, text)
	}
}

// What was said up to the tier's max_duration is charged.
func TestMaxDurationIsCharged(t *testing.T) {
	t.Setenv("LEAK_TEST_KEY", "k")
	g := startSite(t, "", claudeSite("max_duration 1s"))
	g.answer(func(w http.ResponseWriter, r *http.Request) {
		sseEvents(w, append(streamStart[:2:2], streamText)...)
		<-r.Context().Done()
	})
	_, text := g.do("tiny", http.MethodPost, "/v1/messages", streamBody)
	if !strings.Contains(text, "event: error") || !strings.Contains(text, "may take 1 s") {
		t.Errorf("an answer beyond max_duration ends with %s", text)
	}
	g.wantUsed("tiny", 1)
}

// A route that operators compose themselves charges as the block does.
func TestComposedRoute(t *testing.T) {
	g := startSite(t, "", func(dir, upstream string) string {
		return fmt.Sprintf(`route {
			llm_auth_quota {
				auth users %[1]s/users.json
				quota embedded %[1]s/quota
				tier tiny {
					limit 3 requests per day
				}
				tier wide {
					limit unlimited
				}
			}
			reverse_proxy %[2]s
		}`, dir, strings.TrimPrefix(upstream, "http://"))
	})
	g.answer(func(w http.ResponseWriter, r *http.Request) {
		sseEvents(w, append(streamStart[:2:2], streamText)...)
		<-r.Context().Done()
	})
	res, err := http.DefaultClient.Do(g.request("wide", http.MethodPost, "/v1/messages", streamBody))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAtLeast(res.Body, make([]byte, 4096), 100); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	g.wantUsed("wide", 1) // it left in the middle of an answer

	g.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	g.do("wide", http.MethodPost, "/v1/messages", helloBody)
	g.wantUsed("wide", 1) // a failure is given back

	g.answer(plainAnswer)
	for i, want := range []int{200, 200, 200, 429} {
		if res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody); res.StatusCode != want {
			t.Errorf("request %d = %d %s, want %d", i+1, res.StatusCode, text, want)
		}
	}
}

// What the table denies is never charged, however often: no refund is used up,
// even where the charge was taken before the route was known.
func TestComposedDenialsAreFree(t *testing.T) {
	g := startSite(t, "", func(dir, upstream string) string {
		tiers := "tier tiny {\n limit 3 requests per day\n allow internal\n}\n tier wide {\n limit unlimited\n allow internal\n}"
		return fmt.Sprintf("route {\nllm_auth_quota {\n auth users %[1]s/users.json\n quota embedded %[1]s/quota\n %[3]s\n}\nllm_model_route {\n backend internal vllm %[2]s {\n models qwen3-32b\n native_messages\n}\n %[3]s\n}\nrespond 404\n}", dir, upstream, tiers)
	})
	for range 30 {
		if res, text := g.do("tiny", http.MethodPost, "/v1/messages", helloBody); res.StatusCode != http.StatusNotFound {
			t.Fatalf("a model nobody has = %d %s", res.StatusCode, text)
		}
	}
	g.wantUsed("tiny", 0)
	if res, text := g.do("tiny", http.MethodPost, "/v1/messages", strings.Replace(helloBody, "claude-opus-5-5", "qwen3-32b", 1)); res.StatusCode != http.StatusOK {
		t.Errorf("after 30 denials = %d %s", res.StatusCode, text)
	}
	g.wantUsed("tiny", 1)
}

// A person may be called other.
func TestUserSeriesOtherIsAPersonToo(t *testing.T) {
	s, now := newTestSeries(1)
	for _, name := range []string{"alice", "other", "bob"} {
		s.observe(name, 1, now.Add(time.Hour))
	}
	wantSeries(t, s, `gateway_quota_used{user="bob"} 1`, `gateway_quota_used{user="other"} 2`)
	s.observe("other", 7, now.Add(time.Hour))
	wantSeries(t, s, `gateway_quota_used{user="_other"} 7`, `gateway_quota_used{user="other"} 3`)
}
