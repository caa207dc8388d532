package vllmsim

import (
	"strings"
	"unicode/utf8"
)

// The characters that the template adds to each message and in front of the
// answer; the limit on characters counts them.
const (
	messageTemplate = "<|im_start|>" + "\n" + "<|im_end|>\n"
	answerTemplate  = "<|im_start|>assistant\n"
)

// splitTokens cuts text into tokens of at most size bytes. A token ends where a
// run of spaces begins, never inside a rune: a longer rune is a token.
func splitTokens(text string, size int) []string {
	tokens := make([]string, 0, len(text)/size+1)
	start, prev := 0, rune(0)
	for i, r := range text {
		newWord := isSpace(r) && !isSpace(prev)
		if i > start && (newWord || i+utf8.RuneLen(r) > start+size) {
			tokens = append(tokens, text[start:i])
			start = i
		}
		prev = r
	}
	if start < len(text) {
		tokens = append(tokens, text[start:])
	}
	return tokens
}

func isSpace(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

// renderPrompt is the chat template: the tokens that the engine gets to read.
func renderPrompt(req *Request, size int) []string {
	var p []string
	add := func(role, text string) {
		p = append(p, "<|im_start|>", role, "\n")
		p = append(p, splitTokens(text, size)...)
		p = append(p, "<|im_end|>", "\n")
	}
	if len(req.Tools) > 0 {
		add("system", toolsText(req.Tools))
	}
	for _, m := range req.Messages {
		add(m.Role, messageText(m))
	}
	return append(p, "<|im_start|>", "assistant", "\n")
}

// promptRunes is the length of the rendered prompt in characters.
func promptRunes(req *Request) int {
	n := utf8.RuneCountInString(answerTemplate)
	if len(req.Tools) > 0 {
		n += len("system") + len(messageTemplate) + utf8.RuneCountInString(toolsText(req.Tools))
	}
	for _, m := range req.Messages {
		n += len(m.Role) + len(messageTemplate) + utf8.RuneCountInString(messageText(m))
	}
	return n
}

func toolsText(tools []Tool) string {
	var b strings.Builder
	b.WriteString("# Tools\n\n<tools>")
	for _, t := range tools {
		b.WriteString("\n" + t.Name + ": " + t.Description + " ")
		b.Write(t.Parameters)
	}
	b.WriteString("\n</tools>")
	return b.String()
}

func messageText(m Message) string {
	var b strings.Builder
	if m.Reasoning != "" {
		b.WriteString(ThinkStart + "\n" + m.Reasoning + "\n" + ThinkEnd + "\n\n")
	}
	b.WriteString(m.Text)
	for _, c := range m.Calls {
		b.WriteString("\n" + CallStart + "\n" + `{"name": "` + c.Name + `", "arguments": ` + c.Arguments + "}\n" + CallEnd)
	}
	return b.String()
}
