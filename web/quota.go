package web

import (
	"net/http"
	"time"
)

// QuotaPage is GET /quota for a browser.
type QuotaPage struct {
	Base     string
	Tier     string
	Windows  []QuotaWindow
	InFlight string // "2 of 8"
	Models   []QuotaModel
	Ledger   []QuotaLine
}

// QuotaWindow is a limit with its bar.
type QuotaWindow struct {
	Name      string // "requests a day"
	Unlimited bool
	// Used counts running requests too.
	Used, Limit, Left int64
	Resets            time.Time
	ResetsIn          string
}

// QuotaModel is a model that may be asked for and what answers.
type QuotaModel struct{ Asked, Answers, Backend string }

// QuotaLine is a line of the ledger.
type QuotaLine struct {
	At                    time.Time
	Change                int64
	Model, Why, RequestID string
}

// Quota writes the page.
func Quota(w http.ResponseWriter, r *http.Request, page QuotaPage) error {
	return write(w, r, http.StatusOK, "quota", page)
}
