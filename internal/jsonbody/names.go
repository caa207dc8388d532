package jsonbody

import "bytes"

// known reports whether the gateway, or an upstream on its behalf, acts on a
// top-level member of that name. A twin of such a name in another case is
// refused, since parsers that fold case (Go's) would read it.
func known(name []byte) bool {
	switch string(name) {
	case "model", "stream", "stream_options", "n",
		"max_tokens", "max_completion_tokens",
		"messages", "system", "tools", "tool_choice", "metadata",
		"thinking", "output_config", "context_management", "safeguards",
		"temperature", "top_p", "top_k", "stop", "stop_sequences",
		"response_format", "service_tier", "user", "store",
		"reasoning_effort", "cache_control", "container", "mcp_servers",
		"functions", "function_call", "parallel_tool_calls",
		"chat_template", "chat_template_kwargs", "cache_salt", "priority",
		"kv_transfer_params", "prompt_embeds", "prompt_logprobs",
		"logits_processors", "ignore_eos", "min_tokens", "best_of",
		"structured_outputs", "guided_json", "guided_regex",
		"guided_grammar", "guided_choice", "fallbacks", "models",
		"user_config", "api_base", "api_key", "base_url", "mock_response":
		return true
	}
	return false
}

// longestKnown bounds what is worth folding.
const longestKnown = 32

// oddCase reports whether name equals a known one but for case. It folds as
// Go's encoding/json does: ASCII, and the two other letters that Unicode folds
// to ASCII, the long s and the Kelvin sign.
func oddCase(name []byte) bool {
	if plain(name) {
		return false
	}
	var buf [longestKnown]byte
	folded := buf[:0]
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case bytes.HasPrefix(name[i:], []byte("ſ")):
			c, i = 's', i+len("ſ")-1
		case bytes.HasPrefix(name[i:], []byte("\u212a")):
			c, i = 'k', i+len("\u212a")-1
		}
		if len(folded) == longestKnown {
			return false
		}
		folded = append(folded, c)
	}
	return known(folded)
}

// plain reports whether a name holds nothing that folding would change.
func plain(name []byte) bool {
	for _, c := range name {
		if c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// hashOf is FNV-1a. Equal hashes are followed by a comparison, so that crafted
// collisions cost time (bounded by [MaxMembers]) and nothing else.
func hashOf(name []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range name {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// nameIs reports whether the name at s, quotes included, reads as name.
func nameIs(body []byte, s Span, name string) bool {
	raw := body[s.Start+1 : s.End-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == name
	}
	var buf [MaxName]byte
	got, _ := unescape(buf[:0], raw)
	return string(got) == name
}
