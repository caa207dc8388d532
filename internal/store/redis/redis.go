// Package redis connects the gateway to a Redis or Valkey server, a sentinel
// set or a cluster: addresses, credentials, timeouts, a breaker and the
// question whether an error means that the store is away.
//
// It does not know what is stored there. Connections are made on first use:
// nothing here waits for a network before that.
package redis

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/openova-io/llm-gateway/internal/store"
)

// DefaultTimeout bounds dial, read and write, each.
const DefaultTimeout = 150 * time.Millisecond

// Options say where the store is and how to sign in. Errors about them never
// contain a password.
type Options struct {
	// URL is redis://, rediss://, unix://, redis+sentinel:// or
	// redis+cluster:// (the latter two also with rediss). Required.
	URL string

	// Username and Password sign in. Default: what the URL says, else none.
	Username, Password string

	// PasswordFile holds the password, without the last line break. It is read
	// for every new connection, so a rotated password needs no reload.
	PasswordFile string

	// Prefix begins every key. Default: llmgw.
	Prefix string

	// Timeout bounds dial, read and write, each. Default: [DefaultTimeout].
	// Raise it for servers that are far away.
	Timeout time.Duration

	// TLSInsecure allows skip_verify=true in the URL, which accepts any
	// certificate. Default: refused.
	TLSInsecure bool
}

// Client is one set of connections. It is safe for concurrent use.
type Client struct {
	goredis.UniversalClient

	// Prefix begins every key.
	Prefix string
	// Timeout bounds one call from its first to its last byte, retry included.
	Timeout time.Duration

	creds   *credentials
	breaker *store.Breaker
}

// Open checks the options and returns a client that has not connected yet.
func Open(o Options, now func() time.Time) (*Client, error) {
	addr, err := resolve(&o)
	if err != nil {
		return nil, err
	}
	creds := &credentials{username: o.Username, file: o.PasswordFile}
	if o.PasswordFile == "" {
		creds.offer(o.Password)
	}
	c := &Client{
		Prefix: o.Prefix, Timeout: o.Timeout * 4 / 3,
		creds: creds, breaker: store.NewBreaker(now),
	}
	c.UniversalClient = dialer(&addr, &o, creds)
	watch(c.UniversalClient, creds)
	c.AddHook(guard{breaker: c.breaker})
	return c, nil
}

// resolve fills the defaults in and reconciles URL and settings.
func resolve(o *Options) (address, error) {
	addr, err := parseURL(o.URL)
	if err != nil {
		return addr, err
	}
	if addr.username != "" && o.Username != "" && addr.username != o.Username {
		return addr, errors.New("redis: the URL and `username` name different users; leave one out")
	}
	if addr.password != "" && (o.Password != "" || o.PasswordFile != "") {
		return addr, errors.New("redis: a password in the URL and one beside it; leave one out (a file can be rotated)")
	}
	if addr.insecure && !o.TLSInsecure {
		return addr, errors.New("redis: skip_verify accepts any server; say `tls_insecure` too if that is meant, else give the server a certificate that can be verified")
	}
	if o.Username == "" {
		o.Username = addr.username
	}
	if o.Password == "" {
		o.Password = addr.password
	}
	if o.Prefix == "" {
		o.Prefix = "llmgw"
	}
	if strings.ContainsAny(o.Prefix, "{} \t\r\n*?[") {
		return addr, fmt.Errorf("redis: prefix %q: keys cannot begin with it (no braces, blanks or globs)", o.Prefix)
	}
	if o.Timeout < 0 {
		return addr, fmt.Errorf("redis: timeout %v is negative", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return addr, nil
}

// KeyOf identifies what a client with these options is connected to: a hash of
// all settings but the passwords. Clients with the same key can stand for each
// other.
func KeyOf(o Options) (string, error) {
	addr, err := resolve(&o)
	if err != nil {
		return "", err
	}
	return keyOf(&o, &addr), nil
}

func keyOf(o *Options, a *address) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q %q %q %v %v %q %q %v",
		a.kind, a.hosts, a.db, a.master, a.sentinelUser, o.Username, a.tls, a.insecure, o.PasswordFile, o.Prefix, o.Timeout))
	return hex.EncodeToString(sum[:16])
}

// Offer gives a running client the password of a newer configuration. New
// connections try it first, and the one before it where the server does not
// know the new one yet.
func (c *Client) Offer(o Options) {
	if _, err := resolve(&o); err == nil && o.PasswordFile == "" {
		c.creds.offer(o.Password)
	}
}

// dialer makes the client of the address's kind with the settings that were
// measured: one retry hides a restarted server from pooled connections, and is
// safe because every script of ours is idempotent.
func dialer(a *address, o *Options, creds *credentials) goredis.UniversalClient {
	var tlsConfig *tls.Config
	if a.tls {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: a.insecure} //nolint:gosec // only where the operator wrote both words for it
	}
	base := goredis.Options{
		Network: "tcp", DB: a.db, CredentialsProviderContext: creds.next,
		MaxRetries: 1, MinRetryBackoff: time.Millisecond, MaxRetryBackoff: 5 * time.Millisecond,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, DialerRetries: 1,
		// No idle connections kept ready: go-redis would dial them as soon as the
		// client exists, and validating a configuration must touch no network.
		PoolTimeout: o.Timeout / 3, PoolSize: 32, MinIdleConns: 0,
		ContextTimeoutEnabled: true, DisableIdentity: true, TLSConfig: tlsConfig,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch a.kind {
	case kindCluster:
		return cluster(a, &base)
	case kindSentinel:
		return sentinel(a, &base)
	case kindUnix:
		base.Network = "unix"
	case kindServer:
	}
	base.Addr = a.hosts[0]
	return goredis.NewClient(&base)
}

func cluster(a *address, b *goredis.Options) goredis.UniversalClient {
	return goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: a.hosts, CredentialsProviderContext: b.CredentialsProviderContext,
		MaxRetries: b.MaxRetries, MinRetryBackoff: b.MinRetryBackoff, MaxRetryBackoff: b.MaxRetryBackoff,
		DialTimeout: b.DialTimeout, ReadTimeout: b.ReadTimeout, WriteTimeout: b.WriteTimeout, DialerRetries: b.DialerRetries,
		PoolTimeout: b.PoolTimeout, PoolSize: b.PoolSize, MinIdleConns: b.MinIdleConns,
		ContextTimeoutEnabled: true, DisableIdentity: true, TLSConfig: b.TLSConfig,
		MaintNotificationsConfig: b.MaintNotificationsConfig,
	})
}

func sentinel(a *address, b *goredis.Options) goredis.UniversalClient {
	return goredis.NewFailoverClient(&goredis.FailoverOptions{
		MasterName: a.master, SentinelAddrs: a.hosts, DB: a.db,
		SentinelUsername: a.sentinelUser, SentinelPassword: a.sentinelPassword,
		CredentialsProviderContext: b.CredentialsProviderContext,
		MaxRetries:                 b.MaxRetries, MinRetryBackoff: b.MinRetryBackoff, MaxRetryBackoff: b.MaxRetryBackoff,
		DialTimeout: b.DialTimeout, ReadTimeout: b.ReadTimeout, WriteTimeout: b.WriteTimeout, DialerRetries: b.DialerRetries,
		PoolTimeout: b.PoolTimeout, PoolSize: b.PoolSize, MinIdleConns: b.MinIdleConns,
		ContextTimeoutEnabled: true, DisableIdentity: true, TLSConfig: b.TLSConfig,
	})
}
