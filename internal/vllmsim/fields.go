package vllmsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// fields is a JSON object as Python reads it: names are compared exactly and
// the last of two equal ones wins.
type fields map[string]json.RawMessage

// readFields reads the body of a POST.
func (s *Server) readFields(w http.ResponseWriter, r *http.Request) (fields, *apiError) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.opts.MaxBody))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, detail(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		}
		return nil, detail(http.StatusBadRequest, "There was an error parsing the body")
	}
	if len(body) == 0 {
		return nil, invalid(missing("body", "None"))
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, invalidText("", "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed")
	}
	// Also what a compressed body comes to: the real server does not unpack it.
	if !utf8.Valid(body) {
		return nil, detail(http.StatusBadRequest, "There was an error parsing the body")
	}
	var f fields
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, notAnObject(body, err)
	}
	if f == nil {
		return nil, invalid(missing("body", "None"))
	}
	return f, nil
}

func notAnObject(body []byte, err error) *apiError {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return invalid(issue{
			kind: "model_attributes_type", loc: "body", input: describe(body),
			msg: "Input should be a valid dictionary or object to extract fields from",
		})
	}
	at := syntax.Offset
	if at < int64(len(body)) || !strings.Contains(syntax.Error(), "unexpected end") {
		at-- // Go counts the byte that it stumbled over
	}
	return invalid(issue{
		kind: "json_invalid", loc: fmt.Sprintf("body.%d", at), msg: "JSON decode error",
		input: "<dict of 0 items>", ctx: "{'error': 'Expecting value'}",
	})
}

// has says that a member is there and not null.
func (f fields) has(name string) bool {
	raw, ok := f[name]
	return ok && string(raw) != "null"
}

// into decodes a member; kind is pydantic's word for what it should be
// ("string", "integer", "number", "boolean", "list", "dictionary"). A missing
// member leaves v as it is.
func (f fields) into(name, kind string, v any) *apiError {
	if !f.has(name) {
		return nil
	}
	if err := json.Unmarshal(f[name], v); err != nil {
		return invalid(wrongType("body."+name, kind, f[name]))
	}
	return nil
}

func wrongType(loc, kind string, raw json.RawMessage) issue {
	article := "a"
	if kind == "integer" {
		article = "an"
	}
	word := map[string]string{"integer": "int", "number": "float", "boolean": "bool", "dictionary": "dict"}[kind]
	if word == "" {
		word = kind
	}
	return issue{kind: word + "_type", loc: loc, msg: "Input should be " + article + " valid " + kind, input: describe(raw)}
}

// describe names a value without repeating it at length.
func describe(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	var list []json.RawMessage
	var dict fields
	var text string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "None"
	case raw[0] == '[' && json.Unmarshal(raw, &list) == nil:
		return fmt.Sprintf("<list of %d items>", len(list))
	case raw[0] == '{' && json.Unmarshal(raw, &dict) == nil:
		return fmt.Sprintf("<dict of %d items>", len(dict))
	case raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
		return text
	}
	return string(raw)
}

func (f fields) describe() string { return fmt.Sprintf("<dict of %d items>", len(f)) }
