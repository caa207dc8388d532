package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// signIn watches how connections sign in: only there is it certain which
// password the server took or refused, since many connect at once.
type signIn struct{ creds *credentials }

// watch makes every connection of the client tell creds how it signed in. A
// cluster makes its connections in clients of its own, one for each node.
func watch(client goredis.UniversalClient, creds *credentials) {
	if c, ok := client.(*goredis.ClusterClient); ok {
		c.OnNewNode(func(node *goredis.Client) { node.AddHook(signIn{creds}) })
		return
	}
	client.AddHook(signIn{creds})
}

// DialHook leaves dialling alone.
func (s signIn) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook watches one command.
func (s signIn) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		if connecting(cmd) {
			s.observe(cmd, err)
		}
		return err
	}
}

// ProcessPipelineHook leaves pipelines alone: nobody signs in by one.
func (s signIn) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (s signIn) observe(cmd goredis.Cmder, err error) {
	password, ok := passwordOf(cmd.Args())
	switch {
	case !ok:
	case err == nil:
		s.creds.worked(password)
	case refusedUs(err):
		s.creds.refused(password)
	}
}

// passwordOf reads the password of a command that signs in, "" for none:
//
//	hello <version> [auth <user> <password>] …
//	auth [<user>] <password>
func passwordOf(args []any) (password string, ok bool) {
	switch {
	case len(args) >= 5 && args[0] == "hello" && args[2] == "auth":
		password, ok = args[4].(string)
	case len(args) >= 2 && args[0] == "hello":
		ok = true
	case len(args) >= 2 && args[0] == "auth":
		password, ok = args[len(args)-1].(string)
	}
	return password, ok
}
