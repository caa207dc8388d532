package vllmsim

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// turn is what the conversation is about at the moment.
type turn struct {
	text     string   // the last text of the user
	rounds   int      // answers with tool calls since then
	results  []string // of the last round
	answered bool     // tools answered since then
	failed   bool     // one of the last round's tools failed
	workDir  string   // the client's working directory, where it names one
}

var (
	reminder = regexp.MustCompile(`(?s)<system-reminder>.*?</system-reminder>`)
	workDir  = regexp.MustCompile(`(?i)working directory: *(\S[^\n]*)`)
)

// toolError opens a result that Claude Code hands back for a failed tool; vLLM
// drops the member is_error.
const toolError = "<tool_use_error>"

func readTurn(messages []Message) turn {
	var t turn
	for _, m := range messages {
		if found := workDir.FindStringSubmatch(m.Text); found != nil && t.workDir == "" && (m.Role != "assistant" && m.Role != "tool") {
			t.workDir = strings.TrimSpace(found[1])
		}
		switch m.Role {
		case "user":
			if text := userText(m.Text); text != "" {
				t = turn{text: text, workDir: t.workDir}
			}
		case "assistant":
			if len(m.Calls) > 0 {
				t.rounds++
				t.results, t.failed = nil, false
			}
		case "tool":
			t.answered = true
			t.results = append(t.results, m.Text)
			t.failed = t.failed || m.Failed || strings.Contains(m.Text, toolError)
		}
	}
	return t
}

// userText is what a person wrote: clients add reminders to it.
func userText(s string) string { return strings.TrimSpace(reminder.ReplaceAllString(s, "")) }

// echoed is how much of a text is repeated, in runes.
const echoed = 200

func echo(text string) string {
	return "This is a simulated answer from the built-in vLLM simulator, not a model. You said: " + clip(text)
}

// closing repeats what the tools said.
func closing(t turn) string {
	verb := "The tool answered: "
	if len(t.results) > 1 {
		verb = "The tools answered: "
	}
	if t.failed {
		verb = "The tool failed: "
	}
	return verb + clip(userText(strings.Join(t.results, "; "))) + " (This is a simulated answer, not a model's.)"
}

func clip(s string) string {
	if utf8.RuneCountInString(s) <= echoed {
		return s
	}
	return string([]rune(s)[:echoed]) + "…"
}
