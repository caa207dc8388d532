package users_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/users"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)

func site(logger *zap.Logger) auth.Site {
	return auth.Site{Tiers: []string{"free", "pro"}, Logger: logger, Now: func() time.Time { return at }}
}

// started returns a verifier of a file that holds people.
func started(t *testing.T, people ...users.User) *users.Verifier {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.json")
	if err := (&users.File{Users: people}).Write(path); err != nil {
		t.Fatal(err)
	}
	v := users.New(path, site(zap.NewNop()))
	if err := v.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Stop() })
	return v
}

func reasonOf(err error) auth.Reason {
	var refused *auth.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

func TestNewToken(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		token, sum := users.NewToken()
		if len(token) != 57 || !strings.HasPrefix(token, "llmgw_u_") || len(sum) != 64 || !users.Checksum(token) || seen[token] {
			t.Fatalf("NewToken = %q, %q", token, sum)
		}
		seen[token] = true
	}
}

// Every single slip is seen without a look-up.
func TestChecksum(t *testing.T) {
	token, _ := users.NewToken()
	for i := range token {
		other := "a"
		if token[i] == 'a' {
			other = "b"
		}
		if slip := token[:i] + other + token[i+1:]; users.Checksum(slip) {
			t.Errorf("Checksum accepts a wrong character at %d", i)
		}
	}
	for _, slip := range []string{"", "llmgw_u_", token[1:], token[:len(token)-1], token + "0", strings.Replace(token, "_u_", "_k_", 1)} {
		if users.Checksum(slip) {
			t.Errorf("Checksum accepts %d bytes of another form", len(slip))
		}
	}
}

func TestVerify(t *testing.T) {
	token := func() (string, users.Token) {
		token, sum := users.NewToken()
		return token, users.Token{SHA256: sum}
	}
	alice, aliceToken := token()
	second, secondToken := token()
	soon, soonToken := token()
	soonToken.Expires = at.Add(time.Second)
	ended, endedToken := token()
	endedToken.Expires = at.Add(-12 * time.Minute)
	mallory, malloryToken := token()
	eve, eveToken := token()
	stranger, _ := token()
	v := started(t,
		users.User{Name: "alice", Tier: "pro", Tokens: []users.Token{aliceToken, secondToken, soonToken, endedToken}},
		users.User{Name: "mallory", Tier: "pro", Disabled: true, Tokens: []users.Token{malloryToken}},
		users.User{Name: "eve", Tier: "gold", Tokens: []users.Token{eveToken}},
		users.User{Name: "nobody", Tier: "free"},
	)
	for _, tc := range []struct {
		name, token string
		reason      auth.Reason
		detail      string
	}{
		{name: "good", token: alice},
		{name: "another of the same person", token: second},
		{name: "one second left", token: soon},
		{name: "expired", token: ended, reason: auth.ReasonExpired, detail: "12 min ago"},
		{name: "disabled", token: mallory, reason: auth.ReasonDisabled},
		{name: "a tier that the site lacks", token: eve, reason: auth.ReasonNoTier},
		{name: "nobody's", token: stranger, reason: auth.ReasonUnknown},
		{name: "mistyped", token: alice[:20] + "!" + alice[21:], reason: auth.ReasonMalformed},
		{name: "cut off", token: alice[:40], reason: auth.ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := v.Verify(t.Context(), tc.token)
			if reasonOf(err) != tc.reason || err != nil && strings.Contains(err.Error(), tc.token[8:20]) {
				t.Fatalf("Verify = %+v, %v; want %q without the token", p, err, tc.reason)
			}
			var refused *auth.Error
			if errors.As(err, &refused) && refused.Detail != tc.detail {
				t.Errorf("detail %q; want %q", refused.Detail, tc.detail)
			}
			if err == nil && (p.ID != "alice" || p.Tier != "pro" || p.Subject != auth.SubjectOf("users", "alice") || p.Kind != auth.KindUsers) {
				t.Errorf("Verify = %+v", p)
			}
		})
	}
	if !v.Recognizes(alice) || v.Recognizes("llmgw_k_x") || v.Recognizes("a.b.c") {
		t.Error("Recognizes does not go by the prefix")
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Verify(t.Context(), alice) }); n > 3 {
		t.Errorf("Verify allocates %v times; want at most 3 short copies", n)
	}
}

func TestFileErrors(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for _, tc := range []struct{ name, file, want string }{
		{"unknown member", `{"users":[{"name":"a","tier":"pro","admin":true}]}`, `unknown field "admin"`},
		{"unknown member at the top", `{"users":[],"version":2}`, `unknown field "version"`},
		{"a name twice in an object", `{"users":[{"name":"a","tier":"pro","disabled":true,"disabled":false}]}`, "given twice"},
		{"a user twice", `{"users":[{"name":"a","tier":"pro"},{"name":"a","tier":"free"}]}`, `"a" stands there twice`},
		{"one token for two", `{"users":[{"name":"a","tier":"pro","tokens":[{"sha256":"` + sum + `"}]},{"name":"b","tier":"pro","tokens":[{"sha256":"` + sum + `"}]}]}`, "same token"},
		{"no tier", `{"users":[{"name":"a"}]}`, "no tier"},
		{"no name", `{"users":[{"tier":"pro"}]}`, "name"},
		{"a token instead of its hash", `{"users":[{"name":"a","tier":"pro","tokens":[{"sha256":"llmgw_u_x"}]}]}`, "64 lower-case hex"},
		{"upper case", `{"users":[{"name":"a","tier":"pro","tokens":[{"sha256":"` + strings.ToUpper(sum) + `"}]}]}`, "64 lower-case hex"},
		{"half a file", `{"users":[`, "not valid JSON"},
		{"a list", `[]`, "not a JSON object"},
		{"empty", ``, "not a JSON object"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.json")
			if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := users.ReadFile(path)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("ReadFile = %v; want an error with %q and the path", err, tc.want)
			}
			if err := users.New(path, site(zap.NewNop())).Start(); err == nil {
				t.Error("Start took the broken file")
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.json")
	v := users.New(path, site(zap.NewNop()))
	if err := v.Start(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "users add") {
		t.Errorf("Start = %v; want the path and the command that makes one", err)
	}
	if _, err := v.Verify(t.Context(), "llmgw_u_x"); reasonOf(err) != auth.ReasonUnavailable {
		t.Errorf("Verify before Start = %v; want unavailable", err)
	}
	if err := v.Stop(); err != nil {
		t.Errorf("Stop without Start = %v", err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.json")
	_, sum := users.NewToken()
	want := users.User{Name: "alice", Tier: "pro", Tokens: []users.Token{{SHA256: sum, Label: "laptop", Expires: at}}}
	for range 2 { // the second replaces
		if err := (&users.File{Users: []users.User{want}}).Write(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	got, err := users.ReadFile(path)
	if err != nil || len(got.Users) != 1 || got.Users[0].Tokens[0] != want.Tokens[0] {
		t.Errorf("ReadFile = %+v, %v", got, err)
	}
	if err := (&users.File{Users: []users.User{want, want}}).Write(path); err == nil {
		t.Error("Write took a user twice")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A change holds within a second, whatever way it is made, and a broken file
// changes nothing but the log, once. The bubble's clock does not wait.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "users.json")
		alice, aliceSum := users.NewToken()
		bob, bobSum := users.NewToken()
		file := func(sums ...string) string {
			var people []string
			for _, sum := range sums {
				people = append(people, `{"name":"u`+sum[:8]+`","tier":"pro","tokens":[{"sha256":"`+sum+`"}]}`)
			}
			return `{"users":[` + strings.Join(people, ",") + `]}`
		}
		write := func(name, content string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		core, logs := observer.New(zap.ErrorLevel)
		write("v1", file(aliceSum))
		if err := os.Symlink("v1", path); err != nil {
			t.Fatal(err)
		}
		v := users.New(path, site(zap.New(core)))
		if err := v.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = v.Stop() }()
		expect := func(step, token string, want auth.Reason) {
			t.Helper()
			if _, err := v.Verify(t.Context(), token); reasonOf(err) != want {
				t.Errorf("%s: Verify = %v; want %q", step, err, want)
			}
		}
		second := func() { time.Sleep(time.Second); synctest.Wait() }

		second()
		expect("start", alice, "")
		expect("start", bob, auth.ReasonUnknown)

		write("v1", file(aliceSum, bobSum))
		second()
		expect("written in place", bob, "")

		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		carol, carolSum := users.NewToken()
		write("v1", file(aliceSum, carolSum))
		if err := os.Chtimes(filepath.Join(dir, "v1"), info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		second()
		expect("written again within the same tick", carol, "")
		write("v1", file(aliceSum, bobSum))
		second()

		write("v1", file(bobSum, aliceSum)[:20])
		second()
		second()
		expect("broken", alice, "")
		expect("broken", bob, "")
		if logs.Len() != 1 {
			t.Errorf("%d complaints; want 1: %v", logs.Len(), logs.All())
		}

		write("v2", file(bobSum))
		if err := os.Symlink("v2", path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		second()
		expect("symbolic link swapped", alice, auth.ReasonUnknown)
		expect("symbolic link swapped", bob, "")

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		second()
		second()
		expect("removed", bob, "")
		if logs.Len() != 2 {
			t.Errorf("%d complaints; want 2: %v", logs.Len(), logs.All())
		}
		if err := (&users.File{}).Write(path); err != nil {
			t.Fatal(err)
		}
		second()
		expect("back, and empty", bob, auth.ReasonUnknown)
	})
}
