package vllmsim

import (
	"encoding/json"
	"slices"
	"strings"
)

// schema is the part of JSON Schema that an answer is made from.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       json.RawMessage    `json:"type"` // a word or a list of words
	Const      json.RawMessage    `json:"const"`
	Enum       []json.RawMessage  `json:"enum"`
	AnyOf      []schema           `json:"anyOf"`
	OneOf      []schema           `json:"oneOf"`
	AllOf      []schema           `json:"allOf"`
	Properties map[string]schema  `json:"properties"`
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	MinItems   int                `json:"minItems"`
	MinLength  int                `json:"minLength"`
	MaxLength  *int               `json:"maxLength"`
	Minimum    *float64           `json:"minimum"`
	Defs       map[string]*schema `json:"$defs"`
}

var schemaTypes = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// checkSchema refuses what the real server's grammar cannot be built from.
func checkSchema(raw json.RawMessage) *apiError {
	var s schema
	if json.Unmarshal(raw, &s) != nil {
		return nil // none, or one that says less than this package reads
	}
	for _, t := range s.types() {
		if !slices.Contains(schemaTypes, t) {
			return badRequest("", "Grammar error: Invalid type: %s", t)
		}
	}
	return nil
}

func (s schema) types() []string {
	var one string
	if json.Unmarshal(s.Type, &one) == nil && one != "" {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(s.Type, &many) != nil {
		return nil
	}
	return many
}

// Bounds of an answer, whatever its schema asks for. The depth ends schemas
// that hold themselves.
const (
	maxSchemaDepth = 16
	maxSchemaItems = 100
	maxSchemaText  = 1000
)

// fitting is JSON that fits a schema. A schema that cannot be read, or none, is
// that of any object.
func fitting(raw json.RawMessage) json.RawMessage {
	var s schema
	if json.Unmarshal(raw, &s) != nil {
		return json.RawMessage("{}")
	}
	if string(raw) == "{}" {
		return json.RawMessage(`{"simulated": true}`)
	}
	var b strings.Builder
	s.write(&b, s.Defs, "", 0)
	return json.RawMessage(b.String())
}

// write appends a value; name is the member that it belongs to.
func (s schema) write(b *strings.Builder, defs map[string]*schema, name string, depth int) {
	if def := defs[strings.TrimPrefix(s.Ref, "#/$defs/")]; def != nil && depth < maxSchemaDepth {
		def.write(b, defs, name, depth+1)
		return
	}
	for _, choice := range [][]schema{s.AnyOf, s.OneOf, s.AllOf} {
		if len(choice) > 0 && depth < maxSchemaDepth {
			choice[0].write(b, defs, name, depth+1)
			return
		}
	}
	switch {
	case s.Const != nil:
		b.Write(s.Const)
	case len(s.Enum) > 0:
		b.Write(s.Enum[0])
	default:
		s.writeType(b, defs, name, depth)
	}
}

func (s schema) writeType(b *strings.Builder, defs map[string]*schema, name string, depth int) {
	kind := "object"
	if t := s.types(); len(t) > 0 {
		kind = t[0]
	}
	switch kind {
	case "object":
		s.writeObject(b, defs, depth)
	case "array":
		s.writeArray(b, defs, depth)
	case "string":
		b.Write(encode(s.text(name)))
	case "number", "integer":
		if s.Minimum != nil {
			b.WriteString(strings.TrimSuffix(pyFloat(*s.Minimum), ".0"))
			return
		}
		b.WriteString("0")
	case "boolean":
		b.WriteString("false")
	default:
		b.WriteString("null")
	}
}

// writeObject writes the required members, or all where none is required.
func (s schema) writeObject(b *strings.Builder, defs map[string]*schema, depth int) {
	names := s.Required
	if len(names) == 0 {
		for name := range s.Properties {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	b.WriteString("{")
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(encode(name))
		b.WriteString(": ")
		if depth < maxSchemaDepth {
			s.Properties[name].write(b, defs, name, depth+1)
		} else {
			b.WriteString("null")
		}
	}
	b.WriteString("}")
}

func (s schema) writeArray(b *strings.Builder, defs map[string]*schema, depth int) {
	b.WriteString("[")
	for i := range min(s.MinItems, maxSchemaItems) {
		if i > 0 {
			b.WriteString(", ")
		}
		if s.Items != nil && depth < maxSchemaDepth {
			s.Items.write(b, defs, "", depth+1)
		} else {
			b.WriteString("null")
		}
	}
	b.WriteString("]")
}

func (s schema) text(name string) string {
	text := "simulated"
	if name == "title" {
		text = "Simulated session"
	}
	if missing := min(s.MinLength, maxSchemaText) - len(text); missing > 0 {
		text += strings.Repeat(".", missing)
	}
	if s.MaxLength != nil && len(text) > max(0, *s.MaxLength) {
		text = text[:max(0, *s.MaxLength)]
	}
	return text
}
