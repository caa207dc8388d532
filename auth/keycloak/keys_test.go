package keycloak_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/keycloak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manualClock is a clock that tests move.
type manualClock struct{ at atomic.Int64 }

func clockAt(t time.Time) *manualClock {
	c := new(manualClock)
	c.at.Store(t.UnixNano())
	return c
}

func (c *manualClock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *manualClock) pass(d time.Duration) { c.at.Add(int64(d)) }

// memory is a Keep.
type memory struct {
	mu sync.Mutex
	b  []byte
}

func (m *memory) Load() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.b == nil {
		return nil, errors.New("nothing there")
	}
	return m.b, nil
}

func (m *memory) Save(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b = b
	return nil
}

func (m *memory) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b == nil
}

func verifierOver(t *testing.T, keys *keycloak.Keys, clock *manualClock) *keycloak.Verifier {
	t.Helper()
	config := keycloak.Config{Issuer: recordedIssuer, Clients: recordedClients, Tiers: tiers}
	v, err := keycloak.New(config, keys, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newKeys(url string, clock *manualClock, keep keycloak.Keep) *keycloak.Keys {
	return keycloak.NewKeys(url, recordedIssuer, clock.now, zap.NewNop(), keep)
}

// expect verifies a token and compares tier or reason.
func expect(t *testing.T, v *keycloak.Verifier, token, want string) {
	t.Helper()
	p, err := v.Verify(t.Context(), token)
	got := string(reasonOf(err))
	if err == nil {
		got = p.Tier
	}
	if got != want {
		t.Errorf("Verify = %+v, %v; want %s", p, err, want)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func set(r *realmServer, jwks []byte) { r.jwks.Store(&jwks) }

// The three recorded stages of a rotation: before, both keys, the new one.
func TestRotation(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := clockAt(recordedAt)
	v := verifierOver(t, newKeys(realm.URL, clock, nil), clock)
	tokens := recordedTokens(t)
	expect(t, v, tokens["access-pro"], "pro")

	clock.pass(11 * time.Second)
	set(realm, testdata(t, "jwks-rotated-both.json"))
	expect(t, v, tokens["access-pro-rotated-key"], "pro") // fetched on sight
	expect(t, v, tokens["access-pro"], "pro")

	// The old key goes. Nothing announces it; the next fetch finds out and
	// drops the principals that it vouched for, cached or not.
	set(realm, testdata(t, "jwks-rotated-new-only.json"))
	clock.pass(11 * time.Second)
	expect(t, v, bogus(1), "bad_signature")
	expect(t, v, tokens["access-pro"], "bad_signature")
	expect(t, v, tokens["access-pro-rotated-key"], "pro")
}

// bogus is a well-formed token of a kid that does not exist.
func bogus(n int) string {
	header := fmt.Sprintf(`{"alg":"RS256","kid":"bogus-%d"}`, n)
	return b64(header) + "." + b64("{}") + "." + b64("signature")
}

func TestFloodOfUnknownKids(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := clockAt(recordedAt)
	v := verifierOver(t, newKeys(realm.URL, clock, nil), clock)
	expect(t, v, recordedTokens(t)["access-pro"], "pro")
	clock.pass(11 * time.Second)
	before := realm.hits.Load()
	var wg sync.WaitGroup
	for n := range 500 {
		wg.Go(func() {
			if _, err := v.Verify(context.Background(), bogus(n)); reasonOf(err) != auth.ReasonUnverifiable {
				t.Errorf("bogus %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if got := realm.hits.Load() - before; got != 1 {
		t.Errorf("%d fetches in 10 s; want 1", got)
	}
	clock.pass(11 * time.Second)
	expect(t, v, bogus(500), "bad_signature")
	if got := realm.hits.Load() - before; got != 2 {
		t.Errorf("%d fetches after 11 s; want 2", got)
	}
}

func TestBadSignatureNeverFetches(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := clockAt(recordedAt)
	v := verifierOver(t, newKeys(realm.URL, clock, nil), clock)
	token := recordedTokens(t)["access-pro"]
	expect(t, v, token, "pro")
	before := realm.hits.Load()
	for n := range 20 {
		clock.pass(11 * time.Second / 10)
		expect(t, v, fmt.Sprintf("%s%04dAAAA", token[:len(token)-8], n), "bad_signature")
	}
	if got := realm.hits.Load() - before; got != 0 {
		t.Errorf("%d fetches; want none", got)
	}
}

// Whatever way the issuer is down: known keys serve for a day, an unknown kid
// is nobody's fault, and after the day the answer is 503 material, never 401.
func TestOutage(t *testing.T) {
	for _, tc := range []struct {
		name string
		down func(*realmServer)
	}{
		{name: "refused", down: func(r *realmServer) { r.Close() }},
		{name: "503 while booting", down: func(r *realmServer) { r.status.Store(http.StatusServiceUnavailable) }},
		{name: "404", down: func(r *realmServer) { r.status.Store(http.StatusNotFound) }},
		{name: "a page instead of keys", down: func(r *realmServer) { set(r, []byte("<html>")) }},
		{name: "another document", down: func(r *realmServer) { set(r, []byte("{}")) }},
		{name: "an endless answer", down: func(r *realmServer) { set(r, slices.Concat(*r.jwks.Load(), bytes.Repeat([]byte(" "), 300<<10))) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
			clock := clockAt(recordedAt)
			keys := newKeys(realm.URL, clock, nil)
			v := verifierOver(t, keys, clock)
			tokens := recordedTokens(t)
			expect(t, v, tokens["access-pro"], "pro")
			both := testdata(t, "jwks-rotated-both.json")
			set(realm, both) // what a fetch would bring
			tc.down(realm)
			clock.pass(70 * time.Second) // past the result cache
			expect(t, v, tokens["access-pro"], "pro")
			expect(t, v, tokens["access-pro-rotated-key"], "auth_unavailable")
			if !v.Ready() || v.KeysAge() != 70*time.Second {
				t.Errorf("Ready = %v, KeysAge = %s; want true, 70s", v.Ready(), v.KeysAge())
			}
			clock.pass(24 * time.Hour)
			expect(t, v, tokens["access-pro"], "auth_unavailable")
			if v.Ready() {
				t.Error("ready with keys of yesterday")
			}
		})
	}
}

func TestStartWhileIssuerIsDown(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	realm.status.Store(http.StatusServiceUnavailable)
	clock := clockAt(recordedAt)
	keys := newKeys(realm.URL, clock, nil)
	keys.Start()
	t.Cleanup(keys.Stop)
	v := verifierOver(t, keys, clock)
	token := recordedTokens(t)["access-pro"]
	expect(t, v, token, "auth_unavailable")
	realm.status.Store(http.StatusOK)
	eventually(t, "the retry finds the issuer", v.Ready)
	expect(t, v, token, "pro")
}

func TestRestartDuringOutage(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock, keep := clockAt(recordedAt), new(memory)
	first := newKeys(realm.URL, clock, keep)
	first.Start()
	eventually(t, "the set is kept", func() bool { return !keep.empty() })
	first.Stop()
	realm.status.Store(http.StatusServiceUnavailable)

	clock.pass(2 * time.Minute)
	second := newKeys(realm.URL, clock, keep)
	second.Start()
	t.Cleanup(second.Stop)
	v := verifierOver(t, second, clock)
	expect(t, v, recordedTokens(t)["access-pro"], "pro")
	if age := v.KeysAge(); age != 2*time.Minute {
		t.Errorf("KeysAge = %s; want 2m: a restart does not make keys younger", age)
	}

	other := keycloak.NewKeys(realm.URL+"/other", recordedIssuer, clock.now, zap.NewNop(), keep)
	other.Start()
	t.Cleanup(other.Stop)
	if other.Ready() {
		t.Error("took the kept keys of another realm")
	}
}

// An issuer that hangs holds a request for two seconds, not for its own time.
func TestHangingIssuer(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	clock := clockAt(recordedAt)
	v := verifierOver(t, newKeys(server.URL, clock, nil), clock)
	begin := time.Now()
	expect(t, v, recordedTokens(t)["access-pro"], "auth_unavailable")
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("took %s; want about 2 s", took)
	}
}

func TestNoRedirectToAnotherHost(t *testing.T) {
	evil := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evil.URL+r.URL.Path, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	clock := clockAt(recordedAt)
	v := verifierOver(t, newKeys(server.URL, clock, nil), clock)
	expect(t, v, recordedTokens(t)["access-pro"], "auth_unavailable")
	if evil.hits.Load() != 0 {
		t.Error("followed the redirect")
	}
}

// A realm that calls itself otherwise is a setting to fix: one warning says which.
func TestForeignIssuerIsNamedOnce(t *testing.T) {
	realm := serveRealm(t, "https://login.example.com/realms/x", testdata(t, "jwks.json"))
	core, logs := observer.New(zap.WarnLevel)
	clock := clockAt(recordedAt)
	keys := keycloak.NewKeys(realm.URL, recordedIssuer, clock.now, zap.New(core), nil)
	v := verifierOver(t, keys, clock)
	for n := range 3 {
		clock.pass(2 * time.Hour)
		_, _ = v.Verify(t.Context(), bogus(n))
	}
	found := logs.FilterField(zap.String("issuer", "https://login.example.com/realms/x"))
	if found.Len() != 1 {
		t.Errorf("%d warnings %v; want 1", found.Len(), logs.All())
	}
}

// A reload: the new configuration starts before the old one stops.
func TestLastUserStopsTheLoop(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := clockAt(recordedAt)
	keys := newKeys(realm.URL, clock, nil)
	keys.Start()
	eventually(t, "the first fetch", keys.Ready)
	keys.Start()
	keys.Stop()
	if !keys.Ready() || realm.hits.Load() != 1 {
		t.Errorf("Ready = %v after %d fetches; want the set of the one fetch", keys.Ready(), realm.hits.Load())
	}
	keys.Stop()
	keys.Stop() // one too many is harmless
}

func TestEmptyKeySetVouchesForNobody(t *testing.T) {
	realm := serveRealm(t, recordedIssuer, testdata(t, "jwks.json"))
	clock := clockAt(recordedAt)
	v := verifierOver(t, newKeys(realm.URL, clock, nil), clock)
	token := recordedTokens(t)["access-pro"]
	expect(t, v, token, "pro")
	empty, err := json.Marshal(map[string]any{"keys": []any{}})
	if err != nil {
		t.Fatal(err)
	}
	set(realm, empty)
	clock.pass(11 * time.Second)
	expect(t, v, bogus(1), "auth_unavailable")
	expect(t, v, token, "auth_unavailable")
}
