package web

import "net/http"

// StartPage is the page at GET /: how to set up a client. Nothing on it is
// about the person who looks.
type StartPage struct {
	// Base is the URL that clients are pointed at, without /v1.
	Base  string
	Plans []Plan
}

// Plan is what people of one tier get, in words.
type Plan struct {
	Name   string
	Limits []string // "10 requests a day"
	Resets string   // "00:00 UTC"
}

// Start writes the page.
func Start(w http.ResponseWriter, r *http.Request, page StartPage) error {
	return write(w, r, http.StatusOK, "start", page)
}

// RefusalPage is a refusal as a browser shows it.
type RefusalPage struct {
	Base    string
	Status  int
	Message string
}

// Refusal writes a refusal with its status.
func Refusal(w http.ResponseWriter, r *http.Request, page RefusalPage) error {
	return write(w, r, page.Status, "refusal", page)
}
