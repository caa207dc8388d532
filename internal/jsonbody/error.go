package jsonbody

import "strconv"

// Code says why a body was refused.
type Code uint8

// The codes. The zero Code is none.
const (
	Empty     Code = iota + 1 // nothing but whitespace
	BOM                       // a byte order mark in front
	NotUTF8                   // bytes that are no UTF-8
	NotJSON                   // a byte that the grammar does not allow there
	Truncated                 // the body ends too early
	Trailing                  // something stands behind the object
	NotObject                 // JSON, but no object
	TooDeep                   // more than MaxDepth levels
	TooMany                   // more than MaxMembers top-level members
	Duplicate                 // two top-level members of one name
	OddCase                   // a known name in another case
	NoModel                   // no member named model
	BadModel                  // model is no string, or not a name
	BadMember                 // a member of the wrong kind or range, or an unreadable name
)

// Error is a refused body.
type Error struct {
	Code Code
	// Member is the top-level member that it is about; "" where there is none
	// or where its name is not fit to be repeated.
	Member string
	// Offset is the byte at which it was noticed.
	Offset int
}

// Error returns the reason as a sentence for the log.
func (e *Error) Error() string { return "request body " + e.Reason() }

// Reason returns what is wrong as the rest of a sentence that begins with "The
// request body". It holds nothing of the body but the name of a member.
func (e *Error) Reason() string {
	at := " (byte " + strconv.Itoa(e.Offset) + ")"
	switch e.Code {
	case Empty:
		return "is empty"
	case BOM:
		return "starts with a byte order mark; send plain UTF-8"
	case NotUTF8:
		return "is not UTF-8" + at
	case NotJSON:
		return "is not JSON" + at
	case Truncated:
		return "ends too early" + at
	case Trailing:
		return "has something behind the JSON object" + at
	case NotObject:
		return "is not a JSON object"
	case TooDeep:
		return "is nested more than " + strconv.Itoa(MaxDepth) + " levels deep"
	case TooMany:
		return "has more than " + strconv.Itoa(MaxMembers) + " members"
	case Duplicate:
		return "has two members named " + e.named()
	case OddCase:
		return "has a member named " + e.named() + "; write it in lower case"
	case NoModel:
		return "has no member named model"
	case BadModel:
		return "needs a model of 1 to " + strconv.Itoa(MaxModel) + " characters of A-Z a-z 0-9 . _ : / @ + -"
	case BadMember:
		return e.badMember()
	}
	return "cannot be read" + at
}

func (e *Error) badMember() string {
	switch e.Member {
	case "":
		return "has a member whose name is too long or not readable (byte " + strconv.Itoa(e.Offset) + ")"
	case "stream":
		return "needs true or false for stream"
	}
	return "needs a whole number for " + e.Member
}

func (e *Error) named() string {
	if e.Member == "" {
		return "something unreadable"
	}
	return e.Member
}

// printable returns a name if it may stand in a message: up to 64 bytes of what
// identifiers are made of.
func printable(name []byte) string {
	if len(name) > 64 {
		return ""
	}
	for _, c := range name {
		if !modelByte[c] {
			return ""
		}
	}
	return string(name)
}
