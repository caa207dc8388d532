package llmgateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/openova-io/llm-gateway/internal/apierr"
	"github.com/openova-io/llm-gateway/routing"
)

// modelObject is one model in a form that both SDKs read: type, display_name
// and created_at are Anthropic's members, object, created and owned_by OpenAI's.
type modelObject struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Object      string `json:"object"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
	Created     int64  `json:"created"`
	OwnedBy     string `json:"owned_by"`
}

type modelList struct {
	Object  string        `json:"object"`
	Data    []modelObject `json:"data"`
	HasMore bool          `json:"has_more"`
	FirstID *string       `json:"first_id"`
	LastID  *string       `json:"last_id"`
}

// No backend says when each of its models came, and Anthropic's own list allows
// an epoch value for that.
const (
	modelCreatedAt       = "1970-01-01T00:00:00Z"
	modelCreated   int64 = 0
)

// serveModels answers the model list and single models: what the caller's tier
// may ask for by name. It is free and works at zero quota.
func (h *ModelRoute) serveModels(w http.ResponseWriter, r *http.Request, a *admission) error {
	visible := h.table.Visible(a.principal.Tier)
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header["Request-Id"] = []string{a.requestID}
	path := strings.TrimPrefix(r.URL.Path, "/v1/v1/")
	if id, single := strings.CutPrefix(strings.TrimPrefix(path, "/v1/"), "models/"); single {
		return h.serveModel(w, r, a, visible, id)
	}
	list := modelList{Object: "list", Data: []modelObject{}}
	for _, m := range visible {
		list.Data = append(list.Data, objectOf(m))
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	}
	return a.writeJSON(w, r, list)
}

func (h *ModelRoute) serveModel(w http.ResponseWriter, r *http.Request, a *admission, visible []routing.VisibleModel, id string) error {
	names := make([]string, 0, len(visible))
	for _, m := range visible {
		if m.ID == id {
			return a.writeJSON(w, r, objectOf(m))
		}
		names = append(names, m.ID)
	}
	return a.refuse(w, r, apierr.ModelUnknown(id, names))
}

func objectOf(m routing.VisibleModel) modelObject {
	return modelObject{
		ID: m.ID, Type: "model", Object: "model", DisplayName: m.DisplayName,
		CreatedAt: modelCreatedAt, Created: modelCreated, OwnedBy: m.Backend,
	}
}

func (a *admission) writeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %T: %w", v, err)
	}
	a.outcome.status, a.outcome.word = http.StatusOK, "ok"
	return writeBody(w, r, "application/json", append(body, '\n'))
}

// serveReady answers /readyz: ready while at least one backend takes part.
func (h *ModelRoute) serveReady(w http.ResponseWriter, r *http.Request) error {
	usable := len(h.backends) == 0
	for _, u := range h.backends {
		usable = usable || !u.Disabled
	}
	return serveReady(w, r, usable)
}
