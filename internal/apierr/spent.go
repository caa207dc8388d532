package apierr

import (
	"fmt"
	"time"
)

// SpentInfo is what a person needs to know of a used-up window.
type SpentInfo struct {
	Tier string
	// Unit is what is counted: "requests".
	Unit string
	// Period is the window in the words of the configuration: "minute", "hour",
	// "day", "week", "month" or "5 hours".
	Period string
	// Limit and Used are in units.
	Limit, Used int64
	// Resets is when the window ends, Now the moment by the same clock.
	Resets, Now time.Time
	// Base is the gateway's address for a link; "" leaves the link out.
	Base string
	// Zone is the tier's zone; nil or UTC: only UTC is shown.
	Zone *time.Location
	// Jitter, 0 to 2 s, spreads clients that wait for the same reset.
	Jitter time.Duration
}

// worthWaiting is the longest wait that clients sit out by themselves: Claude
// Code obeys a retry-after up to 60 s and gives up at once above.
const worthWaiting = 60 * time.Second

// QuotaSpent is row 1 of the table, and row 3 where the window ends within a
// minute: then clients are told to wait and go on by themselves, else to stop
// at once and show the text.
func QuotaSpent(in SpentInfo) *Error {
	left := in.Resets.Sub(in.Now)
	if left <= worthWaiting {
		return &Error{
			Kind:       KindRateLimited,
			Message:    clip(waitText(in, left)),
			RetryAfter: min(max(left, time.Second)+in.Jitter, worthWaiting),
		}
	}
	return &Error{
		Kind:       KindQuotaSpent,
		Message:    clip(spentText(in, left)),
		RetryAfter: max(left, worthWaiting+time.Second),
		NoRetry:    true,
		Spent:      &Spent{Limit: in.Limit, Used: in.Used, Resets: in.Resets, Period: periods[in.Period].adverb},
	}
}

// periods are the windows that have words of their own.
var periods = map[string]struct{ title, adverb string }{
	"hour":  {title: "Hourly quota"},
	"day":   {"Daily quota", "daily"},
	"week":  {"Weekly quota", "weekly"},
	"month": {"Monthly quota", "monthly"},
}

func waitText(in SpentInfo, left time.Duration) string {
	if in.Period == "minute" {
		return fmt.Sprintf("%d %s a minute on %s; try again in %s.", in.Limit, in.Unit, word(in.Tier, 64), Span(left))
	}
	return fmt.Sprintf("%s · resets in %s.", usedUp(in), Span(left))
}

func spentText(in SpentInfo, left time.Duration) string {
	const layout = "Jan 2 15:04"
	at := in.Resets.UTC().Format(layout) + " UTC"
	if in.Zone != nil {
		if local := in.Resets.In(in.Zone); local.Format(layout) != in.Resets.UTC().Format(layout) {
			at += " = " + local.Format(layout) + " " + in.Zone.String()
		}
	}
	return fmt.Sprintf("%s · resets %s (in %s)", usedUp(in), at, Span(left)) + linked(" · see ", in.Base, "/quota", "")
}

// usedUp says what was used up, with the numbers.
func usedUp(in SpentInfo) string {
	title := periods[in.Period].title
	if title == "" {
		title = "Quota per " + in.Period
	}
	return fmt.Sprintf("%s used up: %d of %d %s on the %s plan", title, in.Used, in.Limit, in.Unit, word(in.Tier, 64))
}
