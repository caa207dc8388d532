package vllmsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// null is a member that is written although it is null. A nil RawMessage with
// omitempty is left out.
var null = json.RawMessage("null")

// encode writes JSON as Python's pydantic does: no blanks, no escaped HTML.
// Everything that is passed is made of types that can always be encoded.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // a type of this package that JSON cannot hold
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// nullable is s as a JSON string, or null when it is empty.
func nullable(s string) json.RawMessage {
	if s == "" {
		return null
	}
	return encode(s)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body := encode(v)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A client that is gone is noticed by the server.
	_, _ = w.Write(body)
}

type openAIError struct {
	Message string          `json:"message"`
	Type    string          `json:"type"`
	Param   json.RawMessage `json:"param"`
	Code    int             `json:"code"`
}

type anthropicError struct {
	Type  string `json:"type"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

func newAnthropicError(kind, message string) (e anthropicError) {
	e.Type = "error"
	e.Error.Type, e.Error.Message = kind, message
	return e
}

// writeError sends e. native says that the route is one of /v1/messages.
func writeError(w http.ResponseWriter, e *apiError, native bool) {
	if e.allow != "" {
		w.Header().Set("Allow", e.allow)
	}
	if e.status == http.StatusInternalServerError {
		w.Header().Del("Vary") // made outside of the layer that adds it
	}
	var body any
	switch {
	case e.shape == shapeDetail:
		body = map[string]string{"detail": e.message}
	case e.shape == shapePlainError:
		body = map[string]string{"error": e.message}
	case e.shape == shapeHandler && native:
		body = newAnthropicError(e.kind, e.message)
	default:
		body = map[string]openAIError{"error": e.openAI()}
	}
	writeJSON(w, e.status, body)
}

func (e *apiError) openAI() openAIError {
	return openAIError{Message: e.message, Type: e.kind, Param: nullable(e.param), Code: e.status}
}
