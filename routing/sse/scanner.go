package sse

import "bytes"

// Scanner cuts a stream into events. The same bytes give the same events, in
// whatever pieces they are fed. The zero value is ready.
//
//	s.Feed(piece)
//	for {
//		ev, ok := s.Next()
//		if !ok {
//			break
//		}
//		…
//	}
//
// At the end of the stream, [Scanner.Last] gives a last event that no blank
// line ended.
type Scanner struct {
	cut   cutter
	rest  []byte // of the piece that was fed
	open  []byte // the beginning of a frame that an earlier piece left open
	join  []byte // scratch for events of several data lines
	begun bool   // the first frame is through: no byte order mark any more
	err   error
}

// Feed gives the next piece. p must not change until Next has returned false;
// frames that lie wholly inside it are not copied.
func (s *Scanner) Feed(p []byte) {
	s.rest = p
}

// Next returns the next event that is complete; false asks for another piece
// or, after an error, for none: see [Scanner.Err]. Frames that say nothing are
// skipped.
func (s *Scanner) Next() (Event, bool) {
	for s.err == nil {
		frame, ok := s.frame()
		if !ok {
			return Event{}, false
		}
		if ev, ok := s.event(frame); ok {
			return ev, true
		}
	}
	return Event{}, false
}

// Last returns the event of a frame that ended with the stream instead of a
// blank line. Whether it was cut in the middle, only its data can tell.
func (s *Scanner) Last() (Event, bool) {
	if s.err != nil || len(s.open) == 0 {
		return Event{}, false
	}
	frame := s.open
	s.open = s.open[:0]
	return s.event(frame)
}

// Err returns [ErrFrameTooLong] once a frame was too long, else nil.
func (s *Scanner) Err() error { return s.err }

// frame returns the next whole frame: a part of the piece, or s.open completed.
func (s *Scanner) frame() ([]byte, bool) {
	end := s.cut.next(s.rest)
	size := len(s.open) + len(s.rest)
	if end >= 0 {
		size = len(s.open) + end
	}
	if size > FrameLimit {
		s.err, s.open, s.rest = ErrFrameTooLong, nil, nil
		return nil, false
	}
	if end < 0 {
		s.open = append(s.open, s.rest...)
		s.rest = nil
		return nil, false
	}
	frame := s.rest[:end]
	if len(s.open) > 0 {
		frame = append(s.open, frame...)
		s.open = frame[:0]
	}
	s.rest = s.rest[end:]
	return frame, true
}

func (s *Scanner) event(frame []byte) (Event, bool) {
	if !s.begun {
		s.begun = true
		frame = bytes.TrimPrefix(frame, byteOrderMark)
	}
	var ev Event
	ev, s.join = parse(frame, s.join)
	return ev, ev.Data != nil
}
