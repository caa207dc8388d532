package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	keycloakVersion = "26.7.3"
	// keycloakStart is how long the first start may take: 30 s on two idle
	// cores, 150 s on a busy machine.
	keycloakStart = 300 * time.Second
	// DemoSecret is the secret of all confidential clients of the demo realm.
	DemoSecret = "demo-only-change-me"
)

// Keycloak is a running Keycloak with the demo realm, which lives in memory.
type Keycloak struct {
	*Process
	// Realm is the realm's URL and the issuer of its tokens.
	Realm string

	base   string
	client *http.Client
}

// StartKeycloak starts Keycloak with deploy/keycloak/demo-realm.json and waits
// until the realm answers. What is not in the cache is fetched with Maven.
func StartKeycloak(t testing.TB) *Keycloak {
	t.Helper()
	Need(t, "java", "mvn", "unzip")
	home := unpackKeycloak(t)
	realm, err := os.ReadFile(filepath.Join(Root(), "deploy", "keycloak", "demo-realm.json"))
	if err != nil {
		t.Fatal(err)
	}
	imports := filepath.Join(home, "data", "import")
	if err := os.MkdirAll(imports, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(imports, "ai-hub-realm.json"), realm, 0o600); err != nil {
		t.Fatal(err)
	}
	address := Address(t)
	_, port, _ := net.SplitHostPort(address)
	_, management, _ := net.SplitHostPort(Address(t))
	cmd := exec.Command(filepath.Join(home, "bin", "kc.sh"), "start-dev", "--db=dev-mem", "--import-realm",
		"--http-host=127.0.0.1", "--http-port="+port, "--health-enabled=true", "--http-management-port="+management)
	cmd.Env = append(os.Environ(), "JAVA_OPTS_KC_HEAP=-Xms128m -Xmx512m", "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1",
		"KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD=admin")
	k := &Keycloak{base: "http://" + address, client: &http.Client{Timeout: 60 * time.Second}}
	k.Realm = k.base + "/realms/ai-hub"
	k.Process = Start(t, cmd)
	k.ready(t, keycloakStart, func() error {
		res, err := k.client.Get(k.Realm + "/.well-known/openid-configuration")
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("the realm answers %s", res.Status)
		}
		return nil
	})
	return k
}

// unpackKeycloak returns the directory of the unpacked server.
func unpackKeycloak(t testing.TB) string {
	t.Helper()
	cache := CacheDir(t, "keycloak")
	home := filepath.Join(cache, "keycloak-"+keycloakVersion)
	if _, err := os.Stat(filepath.Join(home, "bin", "kc.sh")); err == nil {
		return home
	}
	// Unpacked beside and moved into place: an unpacking that was stopped must
	// not look like a finished one.
	temp, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	artifact := "org.keycloak:keycloak-quarkus-dist:" + keycloakVersion + ":zip"
	fetch := exec.Command("mvn", "-B", "-q", "dependency:copy", "-Dartifact="+artifact, "-DoutputDirectory="+temp)
	fetch.Dir = temp // no pom.xml there
	if out, err := fetch.CombinedOutput(); err != nil {
		Missing(t, "fetching %s: %v\n%s", artifact, err, out)
	}
	zip := filepath.Join(temp, "keycloak-quarkus-dist-"+keycloakVersion+".zip")
	if out, err := exec.Command("unzip", "-q", zip, "-d", temp).CombinedOutput(); err != nil {
		t.Fatalf("unpacking Keycloak: %v\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(temp, filepath.Base(home)), home); err != nil {
		t.Fatal(err)
	}
	return home
}

// Password mints an access token with a person's password; in the demo realm
// that is the person's name.
func (k *Keycloak) Password(client, person string) (string, error) {
	return k.token(k.Realm, url.Values{
		"grant_type": {"password"}, "client_id": {client}, "client_secret": {DemoSecret},
		"username": {person}, "password": {person}, "scope": {"openid"},
	})
}

// ServiceAccount mints an access token of a client for itself.
func (k *Keycloak) ServiceAccount(client string) (string, error) {
	return k.token(k.Realm, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {DemoSecret},
	})
}

func (k *Keycloak) token(realm string, form url.Values) (string, error) {
	var answer struct {
		AccessToken string `json:"access_token"`
		Description string `json:"error_description"`
	}
	res, err := k.client.PostForm(realm+"/protocol/openid-connect/token", form)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return "", fmt.Errorf("reading a token: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("no token: %s: %s", res.Status, answer.Description)
	}
	return answer.AccessToken, nil
}

// Admin calls the admin API of the realm with a JSON body, or none, and decodes
// the answer into out unless that is nil. Path begins with a slash or is empty.
func (k *Keycloak) Admin(method, path string, body, out any) error {
	token, err := k.token(k.base+"/realms/master", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"},
	})
	if err != nil {
		return fmt.Errorf("signing in as the administrator: %w", err)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, k.base+"/admin/realms/ai-hub"+path, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(res.Body, 4<<20)).Decode(out)
}
