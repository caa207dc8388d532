// Package embedded keeps records in files of one process: a journal that every
// change is appended to, and a snapshot that the journal begins from.
//
// An appended record survives kill -9 of the process at once and a power cut
// after a second. The package does not know what a record says; records must
// state what is, not what changes, because after a crash the last of them may
// be applied twice.
//
//	lock          held while the files are in use
//	snapshot      all that was known when it was begun, complete or absent
//	journal.old   only while a snapshot is written: the journal until then
//	journal       what changed since
package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	magic      = "llmgwj1\n"
	headerSize = 8 // length, CRC32C of the record; both little endian

	// maxRecord bounds what a damaged length can make us read.
	maxRecord = 16 << 20

	syncPause = time.Second

	// snapshotSize is how large the journal must have grown, at least, before
	// a snapshot takes its place, in bytes.
	snapshotSize = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrClosed is what Append returns after Close.
var ErrClosed = errors.New("embedded store: closed")

// ErrInUse is in Open's error when another process has the directory open.
var ErrInUse = errors.New("quota file in use; use a Redis store for more than one replica")

// Source is whose records these are.
type Source interface {
	// Load takes one stored record. Called before Open returns, in the order
	// of the appends. The slice is reused.
	Load(record []byte) error

	// Dump writes records that together say everything that was appended
	// before the call. Appends go on meanwhile: a record may say what a later
	// append says again.
	Dump(write func(record []byte) error) error
}

// Journal is an open set of files. It is safe for concurrent use.
type Journal struct {
	dir    string
	source Source
	lock   *os.File
	grown  int64 // snapshotSize, smaller in tests
	stop   chan struct{}
	done   sync.WaitGroup

	mu     sync.Mutex
	file   *os.File // the journal; nil when closed
	size   int64
	base   int64 // size of the last snapshot
	dirty  bool  // written since the last fsync
	broken error // a write failed half-way and could not be undone
	buf    []byte
}

// Opened says what Open found.
type Opened struct {
	// Records is how many were loaded.
	Records int
	// Cut is how many bytes at the journal's end were no whole record: what a
	// crash left of the last write. They were removed.
	Cut int64
}

// Open loads the directory's records into source and begins to keep changes.
// The directory is made if it is missing. One process can have it open.
func Open(dir string, source Source) (*Journal, Opened, error) {
	return open(dir, source, snapshotSize)
}

func open(dir string, source Source, grown int64) (*Journal, Opened, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, Opened{}, fmt.Errorf("embedded store: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, Opened{}, err
	}
	j := &Journal{dir: dir, source: source, lock: lock, grown: grown, stop: make(chan struct{})}
	found, err := j.load()
	if err != nil {
		if j.file != nil {
			_ = j.file.Close()
		}
		_ = unlockDir(lock)
		return nil, found, fmt.Errorf("embedded store %s: %w", dir, err)
	}
	j.done.Go(j.background)
	return j, found, nil
}

// Append keeps one record with one write. When it returns nil the record
// survives the end of this process.
func (j *Journal) Append(record []byte) error {
	if len(record) > maxRecord {
		return fmt.Errorf("embedded store: a record of %d bytes; at most %d", len(record), maxRecord)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.broken != nil:
		return j.broken
	case j.file == nil:
		return ErrClosed
	}
	j.buf = frame(j.buf[:0], record)
	n, err := j.file.Write(j.buf)
	if err != nil {
		return j.undo(n, err)
	}
	j.size += int64(n)
	j.dirty = true
	return nil
}

// undo removes what a failed write left, so that later records stay readable.
func (j *Journal) undo(written int, cause error) error {
	cause = fmt.Errorf("embedded store: %w", cause)
	if written == 0 {
		return cause
	}
	if err := j.file.Truncate(j.size); err != nil {
		j.broken = cause
		return cause
	}
	if _, err := j.file.Seek(j.size, io.SeekStart); err != nil {
		j.broken = cause
	}
	return cause
}

// Close writes everything to disk and lets go of the files.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.file == nil {
		j.mu.Unlock()
		return nil
	}
	file := j.file
	j.file = nil
	j.mu.Unlock()
	close(j.stop)
	j.done.Wait()
	return errors.Join(file.Sync(), file.Close(), unlockDir(j.lock))
}

// frame appends header and record.
func frame(dst, record []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(record))) //nolint:gosec // bounded by maxRecord
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(record, castagnoli))
	return append(dst, record...)
}

// errForeign is returned for a file that this version did not write.
var errForeign = errors.New("not a file of this version; move it away to begin anew")

// readFile gives every whole record of a file to load and returns where the
// last one ends: 0 if not even the file's magic is whole.
func readFile(f *os.File, load func([]byte) error) (records int, end int64, err error) {
	r := bufio.NewReaderSize(f, 1<<16)
	var head [headerSize]byte
	if n, err := io.ReadFull(r, head[:len(magic)]); string(head[:n]) != magic[:n] {
		return 0, 0, fmt.Errorf("%s: %w", f.Name(), errForeign)
	} else if err != nil {
		return 0, 0, nil //nolint:nilerr // an end within the magic: the file was being made
	}
	end = int64(len(magic))
	var buf []byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return records, end, nil
		}
		n := binary.LittleEndian.Uint32(head[:4])
		if n > maxRecord {
			return records, end, nil
		}
		if int(n) > cap(buf) {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(r, buf); err != nil || crc32.Checksum(buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			return records, end, nil
		}
		if err := load(buf); err != nil {
			return records, end, fmt.Errorf("%s, byte %d: %w", filepath.Base(f.Name()), end, err)
		}
		records++
		end += headerSize + int64(n)
	}
}
