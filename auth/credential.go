package auth

import (
	"errors"
	"net/http"
	"strings"
)

// MaxToken is the length in bytes beyond which no credential is looked at.
const MaxToken = 16 << 10

// foreignPrefixes begin the keys of model providers. People paste them by
// habit, so they get an answer of their own.
var foreignPrefixes = [...]string{"sk-", "gsk_", "xai-", "hf_", "AIza"}

// The refusals of FromHeader are values: they say nothing about one request.
var (
	errMissing    = &Error{Reason: ReasonMissing}
	errForeign    = &Error{Reason: ReasonForeignKey}
	errTwo        = &Error{Reason: ReasonMalformed, Cause: errors.New("more than one credential")}
	errScheme     = &Error{Reason: ReasonMalformed, Cause: errors.New("the scheme is not Bearer followed by one space")}
	errCharacters = &Error{Reason: ReasonMalformed, Cause: errors.New("blank or comma inside the credential")}
	errTooLong    = &Error{Reason: ReasonMalformed, Cause: errors.New("longer than 16 KiB")}
)

// FromHeader returns the one credential of a request. Authorization decides
// where it exists; X-Api-Key is read only without it, and neither is a second
// try for the other: Claude Code sends both with different values. Nothing else
// (query, cookie, form) is ever a credential. h has canonical names.
func FromHeader(h http.Header) (string, *Error) {
	values, bearer := h["Authorization"], true
	if len(values) == 0 {
		values, bearer = h["X-Api-Key"], false
	}
	switch {
	case len(values) == 0:
		return "", errMissing
	case len(values) > 1:
		return "", errTwo
	}
	token := values[0]
	if bearer {
		var refused *Error
		if token, refused = afterBearer(token); refused != nil {
			return "", refused
		}
	}
	return token, plausible(token)
}

// afterBearer cuts the scheme off. A scheme without a token is what a client
// with an empty variable sends: it has no credential rather than a broken one.
func afterBearer(value string) (string, *Error) {
	const scheme = "Bearer"
	if value == "" || strings.EqualFold(value, scheme) {
		return "", errMissing
	}
	if len(value) < len(scheme)+2 || !strings.EqualFold(value[:len(scheme)], scheme) || value[len(scheme)] != ' ' {
		return "", errScheme
	}
	return value[len(scheme)+1:], nil
}

// plausible refuses what no verifier needs to see. It looks for the bytes that
// make two credentials of one value; the verifiers check every byte.
func plausible(token string) *Error {
	switch {
	case token == "":
		return errMissing
	case len(token) > MaxToken:
		return errTooLong
	case strings.IndexByte(token, ' ') >= 0, strings.IndexByte(token, ',') >= 0, strings.IndexByte(token, '\t') >= 0:
		return errCharacters
	}
	for _, prefix := range foreignPrefixes {
		if strings.HasPrefix(token, prefix) {
			return errForeign
		}
	}
	return nil
}

// Strip removes every header that can carry a credential, so that none reaches
// an upstream, a log or a later handler. h has canonical names.
func Strip(h http.Header) {
	delete(h, "Authorization")
	delete(h, "X-Api-Key")
	delete(h, "Api-Key")
	delete(h, "X-Goog-Api-Key")
	delete(h, "Proxy-Authorization")
	delete(h, "Cookie")
}
