package vllmsim

import (
	"encoding/json"
	"path"
	"regexp"
	"strings"
)

// The sentences that are understood. Names and texts may stand in quotes.
var (
	createFile = regexp.MustCompile(`(?is)^(?:please )?(?:create|write|make) (?:a |the )?(?:new )?file (?:named |called )?(\S+) (?:with|containing)(?: only)?(?: the)?(?: text| content| contents)? (.+)$`)
	inReplace  = regexp.MustCompile(`(?is)^(?:please )?in (?:the )?(?:file )?(\S+?),? (?:replace|change) (.+?) (?:with|to|by) (.+)$`)
	replaceIn  = regexp.MustCompile(`(?is)^(?:please )?(?:replace|change) (.+?) (?:with|to|by) (.+) in (?:the )?(?:file )?(\S+)$`)
	editFile   = regexp.MustCompile(`(?is)^(?:please )?edit (?:the )?(?:file )?(\S+?)(?:,|:| and)* (?:replace|change) (.+?) (?:with|to|by) (.+)$`)
	runCommand = regexp.MustCompile(`(?is)^(?:please )?run (?:the )?command:? (.+)$`)
	plainWord  = regexp.MustCompile(`^[A-Za-z0-9._/@%+=:,-]+$`)
)

// understood is what a sentence makes of the tools that the request offers: the
// calls of the present round, nil when there are none (left). missing is what to
// say when no tool fits.
func understood(t turn, req *Request) (calls []call, missing string) {
	rounds := rounds(t, req)
	switch {
	case rounds == nil:
		return nil, ""
	case rounds[0].name == "":
		return nil, "The simulator understood that, but the request offers no tool that can do it (Write, Edit with Read, or Bash). This is a simulated answer."
	case t.rounds >= len(rounds):
		return nil, ""
	}
	return rounds[t.rounds : t.rounds+1], ""
}

// rounds are the calls of a sentence, one after the other. A call without a
// name is one that no offered tool can take.
func rounds(t turn, req *Request) []call {
	if m := createFile.FindStringSubmatch(t.text); m != nil {
		return []call{create(req, t.absolute(m[1]), unquote(m[2]))}
	}
	if m := runCommand.FindStringSubmatch(t.text); m != nil {
		return []call{bash(req, unquote(m[1]))}
	}
	name, from, to := "", "", ""
	if m := inReplace.FindStringSubmatch(t.text); m != nil {
		name, from, to = m[1], m[2], m[3]
	} else if m := editFile.FindStringSubmatch(t.text); m != nil {
		name, from, to = m[1], m[2], m[3]
	} else if m := replaceIn.FindStringSubmatch(t.text); m != nil {
		name, from, to = m[3], m[1], m[2]
	} else {
		return nil
	}
	return edit(req, t.absolute(name), unquote(from), unquote(to))
}

func create(req *Request, file, text string) call {
	if name := offered(req, "Write"); name != "" {
		return newCall(name, "file_path", file, "content", text)
	}
	return bash(req, "echo "+shellQuote(text)+" > "+shellQuote(file))
}

// edit reads first: Claude Code refuses to edit a file that it has not read.
func edit(req *Request, file, from, to string) []call {
	name, read := offered(req, "Edit"), offered(req, "Read")
	if name == "" || read == "" {
		return []call{{}}
	}
	return []call{newCall(read, "file_path", file), newCall(name, "file_path", file, "old_string", from, "new_string", to)}
}

func bash(req *Request, command string) call {
	name := offered(req, "Bash")
	if name == "" {
		return call{}
	}
	return newCall(name, "command", command, "description", "Asked for by the prompt")
}

// offered is a tool's name as the request spells it, "" when it may not be
// called.
func offered(req *Request, name string) string {
	if req.Choice.Mode == ChoiceNone {
		return ""
	}
	for _, t := range req.Tools {
		if strings.EqualFold(t.Name, name) {
			return t.Name
		}
	}
	return ""
}

// newCall takes names and values of arguments in turn.
func newCall(name string, arguments ...string) call {
	var b strings.Builder
	open := "{"
	for i := 0; i < len(arguments); i += 2 {
		b.WriteString(open + `"` + arguments[i] + `": `)
		open = ", "
		b.Write(encode(arguments[i+1]))
	}
	return call{name: name, arguments: json.RawMessage(b.String() + "}")}
}

func (t turn) absolute(name string) string {
	name = unquote(name)
	if path.IsAbs(name) || t.workDir == "" {
		return name
	}
	return path.Join(t.workDir, name)
}

// unquote takes one pair of quotes away, and a full stop behind it.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	for _, q := range []string{"`", `"`, "'"} {
		inner, found := strings.CutPrefix(s, q)
		if end := strings.LastIndex(inner, q); found && end >= 0 && strings.Trim(inner[end+1:], ". ") == "" {
			return inner[:end]
		}
	}
	return s
}

func shellQuote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
