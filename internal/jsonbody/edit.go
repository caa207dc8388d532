package jsonbody

import (
	"cmp"
	"slices"
)

// Edit replaces the bytes at Span by Text. A span of length 0 inserts.
type Edit struct {
	Span Span
	Text []byte
}

// Replace puts raw JSON in the place of the value at v.
func (f *Facts) Replace(v Span, raw []byte) Edit { return Edit{Span: v, Text: raw} }

// ReplaceModel appends to dst the edits that make the body ask for model. A
// name that was written with escapes is written plainly too, so that a reader
// that does not unescape names finds the model as well.
func (f *Facts) ReplaceModel(dst []Edit, model string) []Edit {
	const plainly = `"model"`
	if f.modelName.End-f.modelName.Start != len(plainly) {
		dst = append(dst, Edit{Span: f.modelName, Text: []byte(plainly)})
	}
	return append(dst, Edit{Span: f.ModelValue, Text: AppendQuote(nil, model)})
}

// Remove appends to dst the edits that remove the top-level members with these
// indexes, which ascend. All members that go from one body must go in one call:
// which comma goes with a member depends on its neighbours.
func (f *Facts) Remove(dst []Edit, indexes ...int) []Edit {
	return RemoveMembers(dst, f.Members, indexes...)
}

// RemoveMembers is [Facts.Remove] for the members of any object.
func RemoveMembers(dst []Edit, members []Member, indexes ...int) []Edit {
	return remove(dst, len(members), indexes, func(i int) Span {
		return Span{members[i].Name.Start, members[i].Value.End}
	})
}

// RemoveElements is the same for the elements of an array.
func RemoveElements(dst []Edit, elements []Span, indexes ...int) []Edit {
	return remove(dst, len(elements), indexes, func(i int) Span { return elements[i] })
}

// remove appends one edit for each run of neighbours. A run behind something
// that stays takes the comma before it, a run at the front the one behind it.
func remove(dst []Edit, n int, indexes []int, at func(int) Span) []Edit {
	for len(indexes) > 0 {
		run := 1
		for run < len(indexes) && indexes[run] == indexes[0]+run {
			run++
		}
		first, last := indexes[0], indexes[run-1]
		indexes = indexes[run:]
		gone := Span{at(first).Start, at(last).End}
		switch {
		case first > 0:
			gone.Start = at(first - 1).End
		case last+1 < n:
			gone.End = at(last + 1).Start
		}
		dst = append(dst, Edit{Span: gone})
	}
	return dst
}

// Append adds a member behind the last one. The caller has made sure that the
// body has no member of that name. At least one member must stay.
func (f *Facts) Append(name string, raw []byte) Edit {
	end := f.Members[len(f.Members)-1].Value.End
	text := AppendQuote([]byte{','}, name)
	text = append(append(text, ':'), raw...)
	return Edit{Span: Span{end, end}, Text: text}
}

// Apply appends body to dst with the edits made, as [Pieces] does.
func Apply(dst, body []byte, edits []Edit) []byte {
	grown := len(body)
	for _, e := range edits {
		grown += len(e.Text)
	}
	dst = slices.Grow(dst, grown)
	for _, piece := range Pieces(nil, body, edits) {
		dst = append(dst, piece...)
	}
	return dst
}

// Pieces appends to dst what the edited body consists of, in order: parts of
// body and texts of edits. So a body of megabytes is edited without a copy of
// it. Bytes outside the edits stay as they are. edits are sorted in place;
// insertions at one place keep their order. Edits that overlap are a fault of
// the caller and panic.
func Pieces(dst [][]byte, body []byte, edits []Edit) [][]byte {
	slices.SortStableFunc(edits, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Span.Start, b.Span.Start), cmp.Compare(a.Span.End, b.Span.End))
	})
	done := 0
	for _, e := range edits {
		if e.Span.Start < done || e.Span.End < e.Span.Start || e.Span.End > len(body) {
			panic("jsonbody: internal error: edits overlap or lie outside the body")
		}
		if e.Span.Start > done {
			dst = append(dst, body[done:e.Span.Start])
		}
		if len(e.Text) > 0 {
			dst = append(dst, e.Text)
		}
		done = e.Span.End
	}
	if done < len(body) {
		dst = append(dst, body[done:])
	}
	return dst
}
