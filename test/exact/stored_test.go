//go:build exact

package exact

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/openova-io/llm-gateway/test/harness"
)

// stored is what redis-server holds of a person, read field by field as
// quota/redis/scripts/reserve.lua describes them.
type stored struct {
	used     int // w:day/requests
	inFlight int // n
	open     int // r: in state A
	ledger   map[string]int
}

// lines sums ledger lines by how they ended, "DONE s" for instance; an empty
// word stands for all.
func (s *stored) lines(ends ...string) (n int) {
	for _, e := range ends {
		n += s.ledger[e]
	}
	return n
}

// charged is the ledger's sum: what it says was kept.
func (s *stored) charged() int {
	return s.lines("DONE s", "LATE s", "KEPT f", "KEPT c")
}

// stored reads the record of a person.
func (f *fleet) stored(t *testing.T, person string) stored {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Network: "unix", Addr: f.redis.Socket})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	subject := f.report(t, person).Subject
	hash, err := client.HGetAll(ctx, "llmgw:q1:{"+subject+"}").Result()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := client.LRange(ctx, "llmgw:g1:{"+subject+"}", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	s := stored{ledger: make(map[string]int)}
	for field, value := range hash {
		switch {
		case field == "w:day/requests":
			scan(t, value, &s.used)
		case field == "n":
			scan(t, value, &s.inFlight)
		case strings.HasPrefix(field, "r:") && strings.HasPrefix(value, "A "):
			s.open++
		}
	}
	for _, line := range lines { // "<ms> DONE s 1 requests …"
		word := strings.Fields(line)
		s.ledger[word[1]+" "+word[2]]++
	}
	return s
}

func scan(t *testing.T, text string, n *int) {
	t.Helper()
	if _, err := fmt.Sscan(text, n); err != nil {
		t.Fatalf("a stored number: %v", err)
	}
}

// settled waits until nothing of a person is in flight in the store, at most
// as long as settling takes, and returns what it holds then.
func (f *fleet) settled(t *testing.T, person string) stored {
	t.Helper()
	var s stored
	for end := time.Now().Add(settling); ; time.Sleep(10 * time.Millisecond) {
		s = f.stored(t, person)
		if s.inFlight == 0 && s.open == 0 {
			return s
		}
		if time.Now().After(end) {
			t.Errorf("in flight %s after the last request: n %d, open %d", settling, s.inFlight, s.open)
			return s
		}
	}
}

// report is what GET /quota says.
type report struct {
	Subject  string
	Windows  []struct{ Used, Reserved, Remaining int }
	InFlight struct{ Used int } `json:"in_flight"`
	Ledger   []struct{ Change int }
}

func (r report) used() int     { return r.Windows[0].Used }
func (r report) reserved() int { return r.Windows[0].Reserved }

// report asks the last gateway of the fleet, which no part kills.
func (f *fleet) report(t *testing.T, person string) report {
	t.Helper()
	return quotaOf(t, f.gateways[len(f.gateways)-1].URL, f.users.Token[person])
}

// quotaOf asks a gateway what a person has used. A store that is busy is asked
// again.
func quotaOf(t *testing.T, gateway, token string) (r report) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	harness.Poll(t, 5*time.Second, "GET /quota", func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gateway+"/quota", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", res.Status)
		}
		r = report{}
		return json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&r)
	})
	if len(r.Windows) != 1 {
		t.Fatalf("GET /quota has %d windows, want 1", len(r.Windows))
	}
	return r
}
