package redis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// kind is what answers at an address.
type kind string

const (
	kindServer   kind = "server"
	kindUnix     kind = "unix"
	kindSentinel kind = "sentinel"
	kindCluster  kind = "cluster"
)

// address is a parsed URL.
type address struct {
	kind               kind
	hosts              []string // host:port, or the path of a unix socket
	db                 int
	tls, insecure      bool
	username, password string

	master                         string // sentinel only
	sentinelUser, sentinelPassword string
}

var schemes = map[string]address{
	"redis":           {kind: kindServer},
	"rediss":          {kind: kindServer, tls: true},
	"unix":            {kind: kindUnix},
	"redis+sentinel":  {kind: kindSentinel},
	"rediss+sentinel": {kind: kindSentinel, tls: true},
	"redis+cluster":   {kind: kindCluster},
	"rediss+cluster":  {kind: kindCluster, tls: true},
}

// parseURL reads a store's URL. It exists because the client library's own
// parser puts the URL, and so the password, into its errors. Syntax:
//
//	redis://[[user]:password@]host[:6379][/db]
//	unix://[[user]:password@]/path/to.sock[?db=0]
//	redis+sentinel://[…@]host[:26379],host…[/db]?master_name=m[&sentinel_username=u&sentinel_password=p]
//	redis+cluster://[…@]host[:6379],host…
func parseURL(raw string) (address, error) {
	if raw == "" {
		return address{}, errors.New("redis: the URL is empty; is the variable that holds it set? Example: redis://valkey:6379")
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	a, known := schemes[scheme]
	if !ok || !known {
		return a, errors.New("redis: the URL must begin with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if err := a.credentials(rest[:at]); err != nil {
			return a, err
		}
		rest = rest[at+1:]
	}
	if err := a.place(rest); err != nil {
		return a, err
	}
	if err := a.options(query); err != nil {
		return a, err
	}
	if (a.master == "") == (a.kind == kindSentinel) {
		return a, errors.New("redis: master_name belongs to redis+sentinel:// and is required there")
	}
	if a.kind == kindCluster && a.db != 0 {
		return a, errors.New("redis: a cluster has no databases; leave the number out")
	}
	return a, nil
}

// credentials reads what stands before the @.
func (a *address) credentials(s string) error {
	user, pass, _ := strings.Cut(s, ":")
	var err1, err2 error
	a.username, err1 = url.PathUnescape(user)
	a.password, err2 = url.PathUnescape(pass)
	if err1 != nil || err2 != nil {
		return errors.New("redis: a % in the URL's user or password must be written %25; or use `password_file`")
	}
	return nil
}

// place reads hosts and database, or the path of a socket.
func (a *address) place(s string) error {
	if a.kind == kindUnix {
		if !strings.HasPrefix(s, "/") {
			return errors.New("redis: unix:// needs an absolute path: unix:///run/valkey.sock")
		}
		a.hosts = []string{s}
		return nil
	}
	hosts, db, _ := strings.Cut(s, "/")
	port := "6379"
	if a.kind == kindSentinel {
		port = "26379"
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			return errors.New("redis: the URL names no host: redis://valkey:6379")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		a.hosts = append(a.hosts, host)
	}
	if a.kind == kindServer && len(a.hosts) > 1 {
		return errors.New("redis: several hosts need redis+sentinel:// or redis+cluster://")
	}
	return a.database(db)
}

func (a *address) database(s string) error {
	if s == "" {
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return errors.New("redis: what stands behind the host must be a database number")
	}
	a.db = n
	return nil
}

// options reads what stands behind the question mark.
func (a *address) options(s string) error {
	values, err := url.ParseQuery(s)
	if err != nil {
		return errors.New("redis: the URL's options cannot be read; special characters must be percent-encoded")
	}
	for name, v := range values {
		var err error
		switch name {
		case "db":
			err = a.database(v[0])
		case "master_name":
			a.master = v[0]
		case "sentinel_username":
			a.sentinelUser = v[0]
		case "sentinel_password":
			a.sentinelPassword = v[0]
		case "skip_verify":
			a.insecure, err = strconv.ParseBool(v[0])
			if err != nil {
				err = errors.New("redis: skip_verify is true or false")
			}
		default:
			err = fmt.Errorf("redis: unknown option %q in the URL (known: db, master_name, sentinel_username, sentinel_password, skip_verify)", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
