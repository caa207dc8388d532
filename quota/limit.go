package quota

import (
	"errors"
	"fmt"
	"time"
)

// Unit is what a limit counts.
type Unit string

// Requests counts answers given: one request, one unit.
const Requests Unit = "requests"

// Period is how long a window of the calendar lasts.
type Period string

// The periods.
const (
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

// TimeOfDay is a wall-clock time. The zero value is midnight.
type TimeOfDay struct {
	Hour   int // 0 to 23
	Minute int // 0 to 59
}

// Limit is how much of a unit a subject may use in each window of a calendar.
// The zero value is not valid: unit and period have to be named.
type Limit struct {
	// Amount is the most that one window admits. 0 admits nothing;
	// [Unlimited] never refuses and still counts.
	Amount int64

	// Unit is what is counted, Period how long a window lasts.
	Unit   Unit
	Period Period

	// Reset is the wall-clock time in Zone at which windows begin. Default:
	// midnight.
	Reset TimeOfDay

	// Zone is the time zone of Reset. nil means UTC.
	Zone *time.Location

	// Anchor is the day on which a week (1 Monday to 7 Sunday) or a month
	// (1 to 31, the last day where a month is shorter) begins. 0 means 1.
	Anchor int
}

// Name identifies the limit's counter together with the subject: "day/requests".
// Amount, reset time and zone are no part of it, so changing them resets nothing.
func (l *Limit) Name() string {
	return string(l.Period) + "/" + string(l.Unit)
}

// check reports what makes the limit unusable.
func (l *Limit) check() error {
	switch {
	case l.Amount < Unlimited || l.Amount > maxAmount:
		return fmt.Errorf("amount %d is not between 0 and 2^50, nor unlimited", l.Amount)
	case l.Unit != Requests:
		return fmt.Errorf("unknown unit %q (known: requests)", l.Unit)
	case l.Reset.Hour < 0 || l.Reset.Hour > 23 || l.Reset.Minute < 0 || l.Reset.Minute > 59:
		return fmt.Errorf("reset %02d:%02d is no time of day", l.Reset.Hour, l.Reset.Minute)
	}
	return l.checkAnchor()
}

func (l *Limit) checkAnchor() error {
	last := 0
	switch l.Period {
	case Day:
	case Week:
		last = 7
	case Month:
		last = 31
	default:
		return fmt.Errorf("unknown period %q (known: day, week, month)", l.Period)
	}
	if l.Anchor < 0 || l.Anchor > last {
		return errors.New("the day on which the " + string(l.Period) + " begins does not exist")
	}
	return nil
}
