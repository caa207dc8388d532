package llmgateway

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

func init() {
	caddy.RegisterModule((*SafeEncoder)(nil))
}

// SafeEncoder is the log format `llm_safe`: JSON without credentials. Caddy's
// own formats hide four headers; X-Api-Key, which many clients send, and the
// query are written in clear. This format
//
//   - leaves out every header whose name speaks of a credential,
//   - keeps of a query only the parameters that page through a list,
//   - masks whatever looks like a token, in every field and in the message.
//
// It hides credentials, not people: addresses and user agents stay. A header of
// an unsuspicious name with a secret of no known form is not recognised.
type SafeEncoder struct {
	zapcore.Encoder `json:"-"`

	// The keys and formats of a line, as `format json` takes them.
	logging.LogEncoderConfig
}

// CaddyModule returns the Caddy module information.
func (*SafeEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.llm_safe",
		New: func() caddy.Module { return new(SafeEncoder) },
	}
}

// Provision implements caddy.Provisioner.
func (e *SafeEncoder) Provision(caddy.Context) error {
	e.Encoder = zapcore.NewJSONEncoder(e.ZapcoreEncoderConfig())
	return nil
}

// UnmarshalCaddyfile reads the format. Syntax:
//
//	format llm_safe {
//	    <options of format json...>
//	}
func (e *SafeEncoder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the format's name
	if d.NextArg() {
		return d.ArgErr()
	}
	return e.LogEncoderConfig.UnmarshalCaddyfile(d)
}

// Clone implements zapcore.Encoder.
func (e *SafeEncoder) Clone() zapcore.Encoder {
	return &SafeEncoder{Encoder: e.Encoder.Clone(), LogEncoderConfig: e.LogEncoderConfig}
}

// EncodeEntry implements zapcore.Encoder. Fields are filtered by their names as
// they are added; the finished line is masked once more as a whole, because
// messages, errors, arrays and reflected values carry no name to go by.
func (e *SafeEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	inner := e.Encoder.Clone() // fields added to e itself would stay for the next line
	for i := range fields {
		fields[i].AddTo(&safeFields{ObjectEncoder: inner})
	}
	line, err := inner.EncodeEntry(entry, nil)
	if err != nil {
		return nil, err
	}
	if masked, changed := maskLine(line.Bytes()); changed {
		line.Reset()
		_, err = line.Write(masked)
	}
	return line, err
}

// AddString implements zapcore.ObjectEncoder, for the fields of a logger.
func (e *SafeEncoder) AddString(key, value string) {
	(&safeFields{ObjectEncoder: e.Encoder}).AddString(key, value)
}

// AddByteString implements zapcore.ObjectEncoder, for the fields of a logger.
func (e *SafeEncoder) AddByteString(key string, value []byte) {
	(&safeFields{ObjectEncoder: e.Encoder}).AddByteString(key, value)
}

// AddObject implements zapcore.ObjectEncoder, for the fields of a logger.
func (e *SafeEncoder) AddObject(key string, value zapcore.ObjectMarshaler) error {
	return (&safeFields{ObjectEncoder: e.Encoder}).AddObject(key, value)
}

// AddReflected implements zapcore.ObjectEncoder, for the fields of a logger.
func (e *SafeEncoder) AddReflected(key string, value any) error {
	return (&safeFields{ObjectEncoder: e.Encoder}).AddReflected(key, value)
}

// safeFields passes fields on to a JSON encoder, without those that hold a
// credential by their name.
type safeFields struct {
	zapcore.ObjectEncoder
	// headers tells that the fields are the headers of a message.
	headers bool
}

// AddString implements zapcore.ObjectEncoder.
func (f *safeFields) AddString(key, value string) {
	switch {
	case isSecretField(key) || f.headers && isSecretHeader(key):
		return
	case isLink(key):
		value = safeLink(value)
	}
	f.ObjectEncoder.AddString(key, value)
}

// AddByteString implements zapcore.ObjectEncoder.
func (f *safeFields) AddByteString(key string, value []byte) { f.AddString(key, string(value)) }

// AddArray implements zapcore.ObjectEncoder. The values of a header are one.
func (f *safeFields) AddArray(key string, values zapcore.ArrayMarshaler) error {
	if !f.headers {
		return f.ObjectEncoder.AddArray(key, values)
	}
	if isSecretHeader(key) {
		return nil
	}
	if isLink(key) {
		values = safeLinks{values}
	}
	return f.ObjectEncoder.AddArray(key, values)
}

// AddObject implements zapcore.ObjectEncoder.
func (f *safeFields) AddObject(key string, value zapcore.ObjectMarshaler) error {
	return f.ObjectEncoder.AddObject(key, safeObject{value, f.headers || isHeaders(key)})
}

// AddReflected implements zapcore.ObjectEncoder. Headers may come this way too.
func (f *safeFields) AddReflected(key string, value any) error {
	switch header := value.(type) {
	case http.Header:
		return f.ObjectEncoder.AddObject(key, safeObject{caddyhttp.LoggableHTTPHeader{Header: header}, true})
	case map[string][]string:
		return f.ObjectEncoder.AddObject(key, safeObject{caddyhttp.LoggableHTTPHeader{Header: header}, true})
	}
	return f.ObjectEncoder.AddReflected(key, value)
}

// safeObject filters the fields of an object inside a line.
type safeObject struct {
	object  zapcore.ObjectMarshaler
	headers bool
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (o safeObject) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	return o.object.MarshalLogObject(&safeFields{ObjectEncoder: enc, headers: o.headers})
}

// safeLinks filters the values of a header that holds URLs.
type safeLinks struct{ values zapcore.ArrayMarshaler }

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (l safeLinks) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	return l.values.MarshalLogArray(safeLinkValues{enc})
}

type safeLinkValues struct{ zapcore.ArrayEncoder }

// AppendString implements zapcore.PrimitiveArrayEncoder.
func (v safeLinkValues) AppendString(value string) { v.ArrayEncoder.AppendString(safeLink(value)) }

// Interface guards
var (
	_ caddy.Provisioner     = (*SafeEncoder)(nil)
	_ zapcore.Encoder       = (*SafeEncoder)(nil)
	_ caddyfile.Unmarshaler = (*SafeEncoder)(nil)
)
