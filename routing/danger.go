package routing

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// MemberError is a member of the body that may not reach an internal backend.
type MemberError struct {
	// Name is the member, for nested ones with a dot: it comes from the list
	// here, but for the part behind a dot, which the client wrote.
	Name string
}

// Error names the member.
func (e *MemberError) Error() string { return "member " + e.Name + " is not allowed to this backend" }

// danger lists the members that make an inference server run templates, fetch
// addresses, join other people's caches, jump the queue or work without bound,
// and those by which proxies in front of one choose another upstream.
var danger = map[string]struct{}{
	"chat_template": {}, "chat_template_content_format": {},
	"cache_salt": {}, "priority": {}, "request_id": {},
	"kv_transfer_params": {}, "ec_transfer_params": {}, "vllm_xargs": {},
	"prompt_embeds": {}, "prompt_logprobs": {}, "prompt_token_ids": {},
	"logits_processors": {}, "allowed_token_ids": {},
	"ignore_eos": {}, "min_tokens": {}, "best_of": {}, "use_beam_search": {},
	"mm_processor_kwargs": {}, "media_io_kwargs": {},
	"fallbacks": {}, "models": {}, "user_config": {}, "router_settings_override": {},
	"api_base": {}, "base_url": {}, "api_key": {}, "api_version": {}, "custom_llm_provider": {},
	"extra_body": {}, "extra_headers": {},
	"mock_response": {}, "mock_tool_calls": {}, "mock_timeout": {},
}

const (
	// maxPattern is the largest constraint in bytes, as written and as a whole,
	// that a grammar engine is given: compiling one takes time that grows faster
	// than the text, and many small patterns are as good as a large one.
	maxPattern = 4 << 10
	// maxChoices is the most answers to one request, for it multiplies the work
	// of a single charge. Streams have one.
	maxChoices = 8
)

// patterns are the members that constrain decoding.
var patterns = map[string]struct{}{
	"guided_json": {}, "guided_regex": {}, "guided_grammar": {}, "guided_choice": {},
	"guided_whitespace_pattern": {}, "structured_outputs": {}, "structural_tag": {},
	"response_format": {}, // chat completions: schemas and structural tags
	"output_config":   {}, // Messages: format, beside the effort
}

// Members of the list that may pass with some values.
const (
	choices           = "n"
	templateArguments = "chat_template_kwargs"
)

// FieldNames returns the members of the danger list, sorted: the names that
// [Backend.Fields] may hold.
func FieldNames() []string {
	names := []string{choices, templateArguments}
	names = slices.AppendSeq(names, maps.Keys(danger))
	names = slices.AppendSeq(names, maps.Keys(patterns))
	slices.Sort(names)
	return names
}

// KnownField reports whether [Backend.Fields] may hold the name, without a
// leading "+": a member of the danger list, or one argument of
// chat_template_kwargs, which is `chat_template_kwargs.<argument>`.
func KnownField(name string) bool {
	if argument, nested := strings.CutPrefix(name, templateArguments+"."); nested {
		return validArgument(argument)
	}
	_, listed := danger[name]
	_, pattern := patterns[name]
	return listed || pattern || name == choices || name == templateArguments
}

// CheckMembers refuses the members of the danger list towards backends that are
// inference servers, unless the backend's Fields name them. It returns a
// [*MemberError]. External providers look after themselves: everything passes.
func CheckMembers(body []byte, f *jsonbody.Facts, b *Backend) error {
	if !b.API.Internal() {
		return nil
	}
	for _, m := range f.Members {
		if name := refusedMember(body, m, f.Stream); name != "" && !b.mayPass(name) {
			return &MemberError{Name: name}
		}
	}
	return nil
}

// mayPass reports whether the operator lets a member of the list pass; a nested
// one passes with its parent.
func (b *Backend) mayPass(name string) bool {
	parent, _, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(b.Fields, func(field string) bool {
		field = strings.TrimPrefix(field, "+")
		return field == name || field == parent
	})
}

// refusedMember returns the name of what is wrong with the member; "" if it may
// pass.
func refusedMember(body []byte, m jsonbody.Member, stream bool) string {
	raw := body[m.Name.Start+1 : m.Name.End-1]
	if slices.Contains(raw, '\\') {
		text, err := jsonbody.Text(body, m.Name)
		if err != nil {
			return "?"
		}
		raw = []byte(text)
	}
	if m.Kind == jsonbody.Null {
		return "" // the same as absent
	}
	if _, listed := danger[string(raw)]; listed {
		return string(raw)
	}
	if _, pattern := patterns[string(raw)]; pattern && m.Value.End-m.Value.Start > maxPattern && !modestSchema(body, m, string(raw)) {
		return string(raw)
	}
	switch string(raw) {
	case choices:
		if tooManyChoices(body, m, stream) {
			return choices
		}
	case templateArguments:
		return refusedTemplateArgument(body, m)
	}
	return ""
}

// schemas are the members of patterns that hold a whole JSON schema, which may
// well be long without being a weapon.
var schemas = map[string]struct{}{"response_format": {}, "output_config": {}}

// maxSchema is the largest schema in bytes, as written.
const maxSchema = 64 << 10

// modestSchema reports whether a member that is larger than a pattern may be is
// a schema of ordinary size, whose own patterns stay inside maxPattern together
// and which holds no string beyond it.
func modestSchema(body []byte, m jsonbody.Member, name string) bool {
	if _, schema := schemas[name]; !schema || m.Value.End-m.Value.Start > maxSchema {
		return false
	}
	left := maxPattern
	return spendPatterns(body, m.Value, m.Kind, false, &left)
}

// spendPatterns takes the length of every pattern below a value from left, and
// reports whether it sufficed and no other string is longer than a pattern may
// be.
func spendPatterns(body []byte, v jsonbody.Span, kind jsonbody.Kind, pattern bool, left *int) bool {
	switch kind {
	case jsonbody.String:
		if pattern {
			*left -= v.End - v.Start
		}
		return *left >= 0 && v.End-v.Start <= maxPattern
	case jsonbody.Object:
		for field := range jsonbody.Fields(body, v) {
			name := field.Name.End - field.Name.Start
			if pattern { // patternProperties: its members' names are patterns
				*left -= name
			}
			if *left < 0 || name > maxPattern || !spendPatterns(body, field.Value, field.Kind, holdsPatterns(body, field), left) {
				return false
			}
		}
	case jsonbody.Array:
		for element, kind := range jsonbody.Elements(body, v) {
			if !spendPatterns(body, element, kind, pattern, left) {
				return false
			}
		}
	case jsonbody.Number, jsonbody.True, jsonbody.False, jsonbody.Null:
	}
	return true
}

// holdsPatterns reports whether what a member of a schema holds is given to a
// grammar engine as text.
func holdsPatterns(body []byte, m jsonbody.Member) bool {
	for _, name := range []string{"pattern", "patternProperties", "grammar", "ebnf", "regex"} {
		if m.Named(body, name) {
			return true
		}
	}
	return false
}

func tooManyChoices(body []byte, m jsonbody.Member, stream bool) bool {
	n, err := strconv.ParseFloat(string(body[m.Value.Start:m.Value.End]), 64)
	return err != nil || n > maxChoices || (stream && n > 1)
}

// refusedTemplateArgument allows the one argument that people need: whether the
// model thinks.
func refusedTemplateArgument(body []byte, m jsonbody.Member) string {
	if m.Kind != jsonbody.Object {
		return templateArguments
	}
	for arg := range jsonbody.Fields(body, m.Value) {
		boolean := arg.Kind == jsonbody.True || arg.Kind == jsonbody.False
		if !arg.Named(body, "enable_thinking") || !boolean {
			name, err := jsonbody.Text(body, arg.Name)
			if err != nil || !validArgument(name) {
				return templateArguments
			}
			return templateArguments + "." + name
		}
	}
	return ""
}

// validArgument reports whether an argument's name may be repeated to people.
func validArgument(name string) bool { return validName(name) && len(name) <= 64 }
