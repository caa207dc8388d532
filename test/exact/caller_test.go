//go:build exact

package exact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tally counts how requests ended, as their caller saw it.
type tally struct {
	answered    int // 200 with the whole answer
	refused     int // 429: used up
	unavailable int // 503: the store does not answer
	failed      int // the upstream's 500, or its answer broke off
	uncounted   int // of the failed: told that nothing was counted
	broken      int // no answer, or not the whole of it
	unreached   int // nobody listened: nothing was sent
	odd         []string
	ends        []end // of the answered ones
}

// end is when an answer was complete and who gave it.
type end struct {
	gateway string
	at      time.Time
}

func (n *tally) total() int {
	return n.answered + n.refused + n.unavailable + n.failed + n.broken + n.unreached + len(n.odd)
}

func (n *tally) add(o tally) {
	n.answered += o.answered
	n.refused += o.refused
	n.unavailable += o.unavailable
	n.failed += o.failed
	n.uncounted += o.uncounted
	n.broken += o.broken
	n.unreached += o.unreached
	n.odd = append(n.odd, o.odd...)
	n.ends = append(n.ends, o.ends...)
}

func (n *tally) String() string {
	return fmt.Sprintf("%d answered, %d refused, %d unavailable, %d failed, %d broken", n.answered, n.refused, n.unavailable, n.failed, n.broken)
}

// caller is a person with a client program that never tries again.
type caller struct {
	name, token string
	limit       int
	client      *http.Client
	turn        atomic.Uint32 // which endpoint and form is next
}

func newCaller(t *testing.T, name, token string, limit int) *caller {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{name: name, token: token, limit: limit, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// ask makes one request with a word for the upstream, in turns to both APIs,
// with and without a stream.
func (c *caller) ask(ctx context.Context, gateway, word string) tally {
	turn := c.turn.Add(1)
	return c.askAs(ctx, gateway, word, form{native: turn%2 == 0, stream: turn%4 >= 2})
}

// insist asks until the store has decided, as a client does that obeys a 503.
func (c *caller) insist(ctx context.Context, gateway, word string) tally {
	turn := c.turn.Add(1)
	return c.insistAs(ctx, gateway, word, form{native: turn%2 == 0, stream: turn%4 >= 2})
}

func (c *caller) insistAs(ctx context.Context, gateway, word string, f form) (n tally) {
	for range 200 {
		one := c.askAs(ctx, gateway, word, f)
		n.add(one)
		if one.unavailable == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return n
}

// form is how a request is made.
type form struct {
	native bool // Anthropic's API, else OpenAI's
	stream bool
}

func (f form) path() string {
	if f.native {
		return "/v1/messages"
	}
	return "/v1/chat/completions"
}

func (f form) body(person, word string) string {
	return fmt.Sprintf(`{"model":"qwen3-32b","max_tokens":16,"stream":%t,"messages":[{"role":"user","content":"%s %s"}]}`, f.stream, person, word)
}

func (c *caller) askAs(ctx context.Context, gateway, word string, f form) (n tally) {
	res, err := c.send(ctx, gateway, word, f)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		n.unreached = 1
		return n
	case err != nil:
		n.broken = 1
		return n
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case err != nil:
		n.broken = 1
	case res.StatusCode == http.StatusOK && whole(string(text), f):
		n.answered = 1
		n.ends = []end{{gateway, time.Now()}}
	case res.StatusCode == http.StatusTooManyRequests && c.spent(res.Header, string(text), f) == nil:
		n.refused = 1
	case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
		n.unavailable = 1
	case res.StatusCode == http.StatusInternalServerError && word == fail:
		n.failed = 1
	case word == breakOff && strings.Contains(string(text), "stopped in mid-answer."):
		n.failed = 1
		if strings.Contains(string(text), "Not counted.") {
			n.uncounted = 1
		}
	default:
		n.odd = append(n.odd, fmt.Sprintf("%s %+v: %d %v %s", f.path(), f, res.StatusCode, c.spent(res.Header, string(text), f), text))
	}
	return n
}

func (c *caller) send(ctx context.Context, gateway, word string, f form) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, gateway+f.path(), strings.NewReader(f.body(c.name, word)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	return c.client.Do(req)
}

// whole reports whether an answer has content and its proper end.
func whole(text string, f form) bool {
	end := `"finish_reason":"stop"`
	switch {
	case f.stream && f.native:
		end = `"message_stop"`
	case f.stream:
		end = "data: [DONE]"
	case f.native:
		end = `"end_turn"`
	}
	return strings.Contains(text, "four") && strings.Contains(text, end) && !strings.Contains(text, `"error"`)
}

// spent says what is wrong with a refusal of a used-up day.
func (c *caller) spent(h http.Header, text string, f form) error {
	kind := `"insufficient_quota"`
	if f.native {
		kind = `"billing_error"`
	}
	for _, part := range []string{kind, "Daily quota used up: ", fmt.Sprintf("%d of %d requests on the ", c.limit, c.limit), " · resets "} {
		if !strings.Contains(text, part) {
			return fmt.Errorf("the text lacks %q", part)
		}
	}
	if h.Get("X-Should-Retry") != "false" || h.Get("Retry-After") == "" {
		return errors.New("the headers do not make a client stop")
	}
	return nil
}

// burst makes total requests from as many clients at once, over all gateways in
// turn.
func (c *caller) burst(t *testing.T, gateways []*gateway, clients, total int) tally {
	t.Helper()
	var next atomic.Int64
	return together(clients, func(int) (n tally) {
		for {
			i := int(next.Add(1)) - 1
			if i >= total {
				return n
			}
			n.add(c.insist(t.Context(), gateways[i%len(gateways)].URL, answerNow))
		}
	})
}

// fill uses up what is left of the limit and more, and checks that exactly the
// limit was admitted in all.
func (c *caller) fill(t *testing.T, gateways []*gateway, charged int) tally {
	t.Helper()
	const beyond = 100
	n := c.burst(t, gateways, beyond, c.limit-charged+beyond)
	n.add(c.late(t, gateways, charged, &n))
	n.noOdd(t)
	if charged+n.answered != c.limit {
		t.Errorf("%d charged before, then %s; want exactly %d in all", charged, &n, c.limit)
	}
	return n
}

// late asks for what came back late. A reservation whose reply did not come in
// time is given back, and callers may have been refused meanwhile. Where the
// store was never slow it does nothing.
func (c *caller) late(t *testing.T, gateways []*gateway, charged int, before *tally) (n tally) {
	t.Helper()
	if before.unavailable == 0 {
		return n
	}
	for range 3 {
		left := c.limit - charged - before.answered - n.answered
		if left <= 0 {
			return n
		}
		time.Sleep(recentRefusal)
		n.add(c.burst(t, gateways, 4, left+len(gateways)))
	}
	return n
}

// recentRefusal is how long a gateway may repeat a refusal from memory.
const recentRefusal = 1100 * time.Millisecond

// together runs n clients at once and adds up what they report.
func together(n int, client func(i int) tally) tally {
	var (
		mu  sync.Mutex
		sum tally
		all sync.WaitGroup
	)
	for i := range n {
		all.Go(func() {
			one := client(i)
			mu.Lock()
			defer mu.Unlock()
			sum.add(one)
		})
	}
	all.Wait()
	return sum
}

// noOdd fails the test for answers that nobody expected.
func (n *tally) noOdd(t *testing.T) {
	t.Helper()
	for i, text := range n.odd {
		if i == 3 {
			t.Errorf("… and %d more", len(n.odd)-i)
			return
		}
		t.Errorf("unexpected answer: %s", text)
	}
}
