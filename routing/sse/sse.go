// Package sse reads and writes event streams: it is the only place that knows
// where a frame ends.
//
// [Scanner] turns bytes, in whatever pieces they come, into events for code
// that translates them. [Meter] watches a stream that passes untouched: it
// tells when the first content came, whether the answer is complete or failed,
// and what it cost, without decoding every event. [PlainUsage] reads the cost
// of an answer that is not a stream.
//
// The package does no I/O and knows neither clock nor goroutine. It does not
// know how one dialect becomes the other, when a ping is due, or what an error
// event should say.
package sse

import "errors"

// FrameLimit bounds one frame of a [Scanner], in bytes. A model that answers
// with one huge tool call sends it in one frame.
const FrameLimit = 16 << 20

// ErrFrameTooLong reports a frame beyond [FrameLimit]. The stream cannot be
// read any further.
var ErrFrameTooLong = errors.New("sse: frame is longer than 16 MiB")

// Event is what a frame means. Both slices are valid until the next call of
// the method that returned them.
type Event struct {
	// Name is the value of the last event field, empty where there is none.
	Name []byte
	// Data is the data fields joined by LF. It is nil where the frame has none:
	// such a frame (a comment, a lone event field) says nothing.
	Data []byte
}
