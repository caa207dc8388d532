package keycloak

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/openova-io/llm-gateway/auth"
	"github.com/openova-io/llm-gateway/auth/internal/strictjson"
)

// maxName bounds sub, sid and names in bytes.
const maxName = 255

// serviceAccount begins the username of a client without a person.
const serviceAccount = "service-account-"

// admit turns the payload of a token whose signature is good into a principal.
func (v *Verifier) admit(payload []byte, now time.Time) (*auth.Principal, *auth.Error) {
	claims, err := strictjson.Object(payload, strictjson.MaxDepth)
	if err != nil {
		return nil, unverifiable(fmt.Errorf("payload: %w", err))
	}
	issued, expires, refused := v.checkTimes(claims, now)
	if refused == nil {
		refused = v.checkPurpose(claims)
	}
	if refused != nil {
		return nil, refused
	}
	sub, _ := claims["sub"].(string)
	if !isName(sub) {
		return nil, unverifiable(errors.New("sub is not 1 to 255 bytes of visible text"))
	}
	username, _ := claims["preferred_username"].(string)
	if _, ok := claims["client_id"]; !v.config.ServiceAccounts && (ok || strings.HasPrefix(username, serviceAccount)) {
		return nil, &auth.Error{Reason: auth.ReasonService}
	}
	tier, ok := v.tiers.of(claims)
	if !ok {
		return nil, &auth.Error{Reason: auth.ReasonNoTier, Cause: errors.New("no source of tier_from names a configured tier")}
	}
	session, _ := claims["sid"].(string)
	return &auth.Principal{
		Subject: auth.SubjectOf(v.config.Issuer, sub), ID: sub, Username: nameOrNone(username), Tier: tier,
		Kind: auth.KindKeycloak, Session: nameOrNone(session), IssuedAt: issued, Expires: expires,
	}, nil
}

// checkTimes requires exp and iat and holds them against the clock.
func (v *Verifier) checkTimes(claims map[string]any, now time.Time) (issued, expires time.Time, refused *auth.Error) {
	expires, okExp := instant(claims["exp"])
	issued, okIat := instant(claims["iat"])
	if !okExp || !okIat {
		return issued, expires, unverifiable(errors.New("exp or iat is missing or not a time"))
	}
	if nbf, present := claims["nbf"]; present {
		from, ok := instant(nbf)
		if !ok || from.After(now.Add(leeway)) {
			return issued, expires, unverifiable(errors.New("nbf is not a time, or lies ahead"))
		}
	}
	switch {
	case !now.Before(expires.Add(leeway)):
		return issued, expires, expired(now.Sub(expires))
	case issued.After(now.Add(leeway)):
		return issued, expires, unverifiable(errors.New("issued in the future"))
	case expires.Sub(issued) > maxLifetime:
		return issued, expires, unverifiable(errors.New("lives longer than 24 h"))
	case issued.Before(v.config.NotBefore):
		return issued, expires, expired(now.Sub(v.config.NotBefore))
	}
	return issued, expires, nil
}

// checkPurpose requires an access token of this realm, for this gateway, given
// to a client on the list. The audience alone proves nothing: another client's
// mapper can add ours.
func (v *Verifier) checkPurpose(claims map[string]any) *auth.Error {
	if iss, ok := claims["iss"].(string); !ok || iss != v.config.Issuer {
		return unverifiable(errors.New("iss is not the configured issuer"))
	}
	audience, ok := audiences(claims["aud"])
	if !ok {
		return unverifiable(errors.New("aud is neither text nor a list of texts"))
	}
	if !slices.Contains(audience, v.config.Audience) {
		return &auth.Error{Reason: auth.ReasonAudience, Detail: word(strings.Join(audience, ", ")), Want: v.config.Audience}
	}
	azp, ok := claims["azp"].(string)
	if _, present := claims["azp"]; present && !ok {
		return unverifiable(errors.New("azp is not text"))
	}
	if !v.anyClient && !slices.Contains(v.config.Clients, azp) {
		return &auth.Error{Reason: auth.ReasonClient, Detail: word(azp)}
	}
	if typ, _ := claims["typ"].(string); typ != "Bearer" {
		return &auth.Error{Reason: auth.ReasonType, Detail: word(typ)}
	}
	if _, bound := claims["cnf"]; bound {
		return unverifiable(errors.New("bound to a key of the client (cnf)"))
	}
	return nil
}

// instant reads a NumericDate. The bound keeps the arithmetic with it exact.
func instant(claim any) (time.Time, bool) {
	n, ok := claim.(strictjson.Number)
	if !ok {
		return time.Time{}, false
	}
	f, ok := n.Float()
	if !ok || math.Abs(f) > 1e11 {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

// audiences reads aud, which is one text or a list of texts.
func audiences(claim any) ([]string, bool) {
	switch aud := claim.(type) {
	case nil:
		return nil, true
	case string:
		return []string{aud}, true
	case []any:
		all := texts(aud)
		return all, len(all) == len(aud)
	default:
		return nil, false
	}
}

// isName accepts 1 to 255 bytes without blanks, control or format characters
// (the latter turn text around or hide it).
func isName(s string) bool {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return false
		}
	}
	return true
}

// nameOrNone drops what is not fit to be shown or compared. Usernames may have
// no blanks in Keycloak either.
func nameOrNone(s string) string {
	if isName(s) {
		return s
	}
	return ""
}

// word makes a claim fit for an error text: short and printable, or nothing.
func word(s string) string {
	const most = 64
	if s == "" || len(s) > most {
		return ""
	}
	for _, r := range s {
		if r < 0x20 || r > 0x7e {
			return ""
		}
	}
	return s
}

func unverifiable(cause error) *auth.Error {
	return &auth.Error{Reason: auth.ReasonUnverifiable, Cause: cause}
}

// expired says how long ago in the words of the text that it becomes part of.
func expired(ago time.Duration) *auth.Error {
	return &auth.Error{Reason: auth.ReasonExpired, Detail: auth.Ago(ago)}
}
