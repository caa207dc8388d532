package routing

import (
	"encoding/json"
	"fmt"

	"github.com/openova-io/llm-gateway/routing/anthropic"
)

// listing is the answer to GET /v1/models, as all APIs together know it, and to
// Ollama's own /api/tags.
type listing struct {
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

// ParseModels reads what a backend says it serves. Entries without an id and
// retired models are left out; capabilities that cannot be read are unknown.
// The caller bounds the body.
func ParseModels(api API, body []byte) ([]Model, error) {
	var list listing
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("list of models: %w", err)
	}
	models := make([]Model, 0, len(list.Data)+len(list.Models))
	for _, entry := range list.Data {
		if entry.ID == "" || entry.Lifecycle == "retired" {
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
		if entry.Name != "" {
			models = append(models, Model{ID: entry.Name})
		}
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
