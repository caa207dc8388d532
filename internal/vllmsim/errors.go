package vllmsim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// shape is the form of an error body. vLLM has one per layer that can refuse.
type shape uint8

const (
	shapeHandler    shape = iota // of the route: OpenAI's on chat, Anthropic's on messages
	shapeOpenAI                  // OpenAI's on every route: validation, queue limits
	shapeDetail                  // {"detail":…}: FastAPI itself
	shapePlainError              // {"error":"…"}: the key check
)

// apiError is a refusal as a client sees it.
type apiError struct {
	status  int
	kind    string // the member type
	message string
	param   string // "" is null
	shape   shape
	allow   string // header Allow
}

func (e *apiError) Error() string { return e.message }

func badRequest(param, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: "BadRequestError", message: fmt.Sprintf(format, args...), param: param}
}

// badValue is a refusal that names the parameter and its value at the end.
func badValue(param string, value any, format string, args ...any) *apiError {
	e := badRequest(param, format, args...)
	e.message += fmt.Sprintf(" (parameter=%s, value=%v)", param, value)
	return e
}

func detail(status int, text string) *apiError {
	return &apiError{status: status, message: text, shape: shapeDetail}
}

func unknownModel(name string, served []string) *apiError {
	return &apiError{
		status: http.StatusNotFound, kind: "NotFoundError", param: "model",
		message: fmt.Sprintf("The model `%s` does not exist. Valid aliases: %s.", name, strings.Join(served, ", ")),
	}
}

func engineDead() *apiError {
	return &apiError{
		status: http.StatusInternalServerError, kind: "InternalServerError",
		message: "EngineCore encountered an issue. See stack trace (above) for the root cause.",
	}
}

// queueFull is what a server at its queue limit answers; there is no
// retry-after.
func queueFull() *apiError {
	return refused(&Refusal{Status: http.StatusServiceUnavailable, Message: "The engine is currently busy and cannot accept new requests. " +
		"Please try again later or on a different instance."})
}

// refused gives an engine's refusal the shape of the layer that vLLM would have
// refused in: internal errors come from the route, all others from above it.
func refused(r *Refusal) *apiError {
	if r.Status == http.StatusInternalServerError {
		return &apiError{status: r.Status, kind: "InternalServerError", message: r.Message}
	}
	return &apiError{status: r.Status, kind: http.StatusText(r.Status), message: r.Message, shape: shapeOpenAI}
}

// issue is one line of a validation error, in the words of pydantic.
type issue struct {
	kind, loc, msg, input string
	ctx                   string // a Python dict, "" for none
}

func (i issue) String() string {
	s := fmt.Sprintf("{'type': '%s', 'loc': '%s', 'msg': %s, 'input': %s", i.kind, i.loc, pyString(i.msg), pyString(i.input))
	if i.ctx != "" {
		s += ", 'ctx': " + i.ctx
	}
	return s + "}"
}

func invalid(issues ...issue) *apiError {
	noun := "error"
	if len(issues) > 1 {
		noun = "errors"
	}
	lines := make([]string, len(issues))
	for i, is := range issues {
		lines[i] = "\n  " + is.String()
	}
	return invalidText(issues[0].loc, strconv.Itoa(len(issues))+" validation "+noun+":"+strings.Join(lines, ""))
}

func invalidText(param, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: "Bad Request", message: message, param: param, shape: shapeOpenAI}
}

func missing(loc, input string) issue {
	return issue{kind: "missing", loc: loc, msg: "Field required", input: input}
}

func valueError(loc, msg, input string) issue {
	return issue{kind: "value_error", loc: loc, msg: "Value error, " + msg, input: input, ctx: "{'error': ValueError(" + pyString(msg) + ")}"}
}

func tooLong(loc, input string, limit, got int) issue {
	return issue{
		kind: "too_long", loc: loc, input: input,
		msg: fmt.Sprintf("List should have at most %d items after validation, not %d", limit, got),
		ctx: fmt.Sprintf("{'field_type': 'List', 'max_length': %d, 'actual_length': %d}", limit, got),
	}
}

// pyString quotes as Python's repr does.
func pyString(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	s = strings.ReplaceAll(s, `\`, `\\`)
	s = strings.ReplaceAll(s, "\n", `\n`)
	if quote == "'" {
		s = strings.ReplaceAll(s, "'", `\'`)
	}
	return quote + s + quote
}

// pyFloat prints a number as Python prints a float.
func pyFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
