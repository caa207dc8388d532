package routing

// VisibleModel is one line of what a tier may ask for.
type VisibleModel struct {
	ID string
	// DisplayName is how people call it; the ID where nobody said more.
	DisplayName string
	// Backend and RoutedTo are where a request for it goes now.
	Backend, RoutedTo string
	Reason            Reason
}

// Visible returns the names inside the tier's wall that configuration or a
// backend's list spells out, public names included, in the order of backends;
// globs name nothing. An unknown tier sees nothing. Callers must not change
// the result.
func (t *Table) Visible(tier string) []VisibleModel {
	if v := t.current.Load().tiers[tier]; v != nil {
		return v.visible
	}
	return nil
}

// look collects what the tier sees of a directory.
func (v *tierView) look(dir *directory) []VisibleModel {
	var seen []VisibleModel
	for _, name := range dir.names {
		at, _, inside := dir.find(target{name: name}, v.plan.wall.admits)
		if !inside {
			continue
		}
		r, err := v.decide(dir, name)
		if err != nil {
			continue
		}
		display := name
		if m := dir.learnt[at.backend.Name][at.upstream]; m.DisplayName != "" && at.model == at.upstream {
			display = m.DisplayName
		}
		seen = append(seen, VisibleModel{ID: name, DisplayName: display, Backend: r.Backend, RoutedTo: r.Model, Reason: r.Reason})
	}
	return seen
}
