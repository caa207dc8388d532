package attacktest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// draft is a token on its way: raw JSON texts, so that a recipe can write what
// no encoder would.
type draft struct {
	header, payload string
	sign            Sign
}

// Attempt builds the request of a case with a token issued at now.
func (l *Lab) Attempt(s *Suite, c Case, now time.Time) (*Attempt, error) {
	a, err := l.attempt(s, c, now)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.ID, err)
	}
	return a, nil
}

func (l *Lab) attempt(s *Suite, c Case, now time.Time) (*Attempt, error) {
	a := &Attempt{Header: http.Header{}, Query: url.Values{}, Token: c.Raw}
	if c.Raw == "" {
		claims, err := l.merged(s.Base.Claims, c.Claims, now)
		if err != nil {
			return nil, err
		}
		a.Sub, _ = claims["sub"].(string)
		if a.Token, err = l.token(s, c, claims, now); err != nil {
			return nil, err
		}
	}
	for _, m := range c.Mutate {
		if m == "negative-cache-poison" {
			a.First = append(a.First, flipped(a.Token))
		}
	}
	send := s.Base.Send
	if c.Transport != nil && (c.Transport.Query != "" || c.Transport.Authorization != nil || c.Transport.APIKey != nil) {
		send = *c.Transport
	}
	for _, value := range send.Authorization {
		a.Header.Add("Authorization", strings.ReplaceAll(value, "@token", a.Token))
	}
	for _, value := range send.APIKey {
		a.Header.Add("X-Api-Key", strings.ReplaceAll(value, "@token", a.Token))
	}
	if send.Query != "" {
		a.Query.Set(send.Query, a.Token)
	}
	return a, nil
}

// token signs the base with the case's changes.
func (l *Lab) token(s *Suite, c Case, claims map[string]any, now time.Time) (string, error) {
	header, err := l.merged(s.Base.Header, c.Header, now)
	if err != nil {
		return "", err
	}
	d := draft{sign: s.Base.Sign}
	if c.Sign != nil {
		d.sign = *c.Sign
	}
	if d.header, err = encode(header); err != nil {
		return "", err
	}
	if d.payload, err = encode(claims); err != nil {
		return "", err
	}
	for _, m := range c.Mutate {
		if err := d.mutate(m); err != nil {
			return "", err
		}
	}
	signed := b64(d.header) + "." + b64(d.payload)
	var signature []byte
	if d.sign.Key == "keep-rs256" {
		base, err := encode(s.Base.Header)
		if err != nil {
			return "", err
		}
		signature, err = l.signature(b64(base)+"."+b64(d.payload), s.Base.Sign)
		if err != nil {
			return "", err
		}
	} else if signature, err = l.signature(signed, d.sign); err != nil {
		return "", err
	}
	token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	for _, m := range c.Mutate {
		token = mutateToken(token, m)
	}
	return token, nil
}

// merged puts changes into base: null deletes, texts are expanded.
func (l *Lab) merged(base, changes map[string]any, now time.Time) (map[string]any, error) {
	out := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = value
	}
	for name, value := range out {
		expanded, err := l.expand(value, now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = expanded
	}
	return out, nil
}

// expand reads the notation of one value, also inside lists.
func (l *Lab) expand(value any, now time.Time) (any, error) {
	if list, ok := value.([]any); ok {
		out := make([]any, len(list))
		for i, item := range list {
			var err error
			if out[i], err = l.expand(item, now); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	text, ok := value.(string)
	if !ok {
		return value, nil
	}
	if rest, ok := strings.CutPrefix(text, "now"); ok {
		if rest == "" {
			return now.Unix(), nil
		}
		if offset, err := strconv.ParseInt(rest, 10, 64); err == nil {
			return now.Unix() + offset, nil
		}
	}
	if strings.HasPrefix(text, "@") {
		return l.expandAt(text)
	}
	return text, nil
}

func (l *Lab) expandAt(text string) (any, error) {
	if rest, ok := strings.CutPrefix(text, "@issuer"); ok {
		return l.Issuer + rest, nil
	}
	if rest, ok := strings.CutPrefix(text, "@str:"); ok {
		return rest, nil
	}
	if rest, ok := strings.CutPrefix(text, "@num:"); ok {
		return json.Number(rest), nil
	}
	if rest, ok := strings.CutPrefix(text, "@A*"); ok {
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > 1<<20 {
			return nil, fmt.Errorf("unknown word %q", text)
		}
		return strings.Repeat("A", n), nil
	}
	switch text {
	case "@null":
		return nil, nil //nolint:nilnil // JSON null is the value
	case "@ISSUER":
		return strings.ToUpper(l.Issuer), nil
	case "@listener":
		return l.Listener, nil
	}
	if k, ok := l.keys[text[1:]]; ok {
		return publicJWK(k.private.Public())
	}
	return nil, fmt.Errorf("unknown word %q", text)
}

func encode(members map[string]any) (string, error) {
	b, err := json.Marshal(members)
	if err != nil {
		return "", fmt.Errorf("encode the token: %w", err)
	}
	return string(b), nil
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
