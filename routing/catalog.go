package routing

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openova-io/llm-gateway/routing/anthropic"
)

// listing is the answer to GET /v1/models, as all APIs together know it, and to
// Ollama's own /api/tags.
type listing struct {
	Object string   `json:"object"` // "list", where it is said
	Data   []listed `json:"data"`
	Models []struct {
		Name string `json:"name"`
	} `json:"models"`
}

type listed struct {
	ID           string          `json:"id"`
	DisplayName  string          `json:"display_name"`
	MaxModelLen  int64           `json:"max_model_len"`    // vLLM
	MaxInput     int64           `json:"max_input_tokens"` // Anthropic
	MaxTokens    int64           `json:"max_tokens"`       // Anthropic
	Lifecycle    string          `json:"lifecycle"`        // Anthropic
	Capabilities json.RawMessage `json:"capabilities"`     // Anthropic
}

// ErrNoModels means that a backend's list names no model that a request could
// ask for. A backend that is starting says so too, so what was learnt before is
// the better knowledge.
var ErrNoModels = errors.New("the list names no model")

// ParseModels reads what a backend says it serves: at least one model, else an
// error, which is [ErrNoModels] if the answer is a list. Entries without a
// usable id and retired models are left out; capabilities that cannot be read
// are unknown. The caller bounds the body.
func ParseModels(api API, body []byte) ([]Model, error) {
	var list listing
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("list of models: %w", err)
	}
	if list.Data == nil && list.Models == nil && list.Object != "list" {
		return nil, errors.New("list of models: the answer is no list")
	}
	models := make([]Model, 0, len(list.Data)+len(list.Models))
	for _, entry := range list.Data {
		if !validName(entry.ID) || entry.Lifecycle == "retired" {
			continue
		}
		m := Model{ID: entry.ID, DisplayName: entry.DisplayName, ContextLength: entry.MaxModelLen}
		if api == Anthropic {
			m.ContextLength, m.MaxOutput = entry.MaxInput, entry.MaxTokens
			m.Capabilities = parseCapabilities(entry)
		}
		models = append(models, m)
	}
	for _, entry := range list.Models {
		if validName(entry.Name) {
			models = append(models, Model{ID: entry.Name})
		}
	}
	if len(models) == 0 {
		return nil, ErrNoModels
	}
	return models, nil
}

func parseCapabilities(entry listed) *anthropic.Capabilities {
	if len(entry.Capabilities) == 0 || string(entry.Capabilities) == "null" {
		return nil
	}
	c, err := anthropic.ParseCapabilities(entry.ID, entry.Capabilities)
	if err != nil {
		return nil
	}
	if entry.MaxTokens > 0 {
		c.MaxOutput = entry.MaxTokens
	}
	return &c
}
