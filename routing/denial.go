package routing

import "errors"

var (
	// ErrDenied means that the model lives behind the tier's wall.
	ErrDenied = errors.New("model is outside the tier's wall")
	// ErrUnknown means that nothing behind this gateway has the model.
	ErrUnknown = errors.New("no backend has the model")
)

// Words that take the place of a name in the labels of
// gateway_model_routes_total.
const (
	// LabelDenied is the label `to` of a refusal.
	LabelDenied = "denied"
	// LabelOther is the label of a name that nothing spells out.
	LabelOther = "other"
)

// Denial is a request that has no route. errors.Is tells [ErrDenied] from
// [ErrUnknown].
type Denial struct {
	Tier, Asked string
	// Kind is ErrDenied or ErrUnknown.
	Kind error
	// Pattern is the metric's label from, bounded like [Route.Pattern].
	Pattern string
	// Allowed are names that the tier may use, in the order of
	// [Table.Visible]. Shared: callers must not change it.
	Allowed []string
}

// Error is for logs and tests; the text for clients is made elsewhere.
func (d *Denial) Error() string {
	return "tier " + d.Tier + ", model " + d.Asked + ": " + d.Kind.Error()
}

// Unwrap returns the kind.
func (d *Denial) Unwrap() error { return d.Kind }
