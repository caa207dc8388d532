package embedded

import (
	"bufio"
	"errors"
	"os"
	"time"
)

// background syncs once a second what was written, and replaces a journal that
// has outgrown what it describes.
func (j *Journal) background() {
	tick := time.NewTicker(syncPause)
	defer tick.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-tick.C:
		}
		j.sync()
		if j.outgrown() {
			// A snapshot that fails leaves the journal whole, only longer;
			// the next second tries again.
			_ = j.compact()
		}
	}
}

// sync writes to disk outside the lock: appends need not wait for a disk.
func (j *Journal) sync() {
	j.mu.Lock()
	file, dirty := j.file, j.dirty
	j.dirty = false
	j.mu.Unlock()
	if file == nil || !dirty {
		return
	}
	if err := file.Sync(); err != nil {
		j.mu.Lock()
		j.dirty = true
		j.mu.Unlock()
	}
}

// outgrown reports whether a snapshot pays: the journal is large, and larger
// than what it would shrink to by experience.
func (j *Journal) outgrown() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file != nil && j.size > max(j.grown, 2*j.base)
}

// compact begins a new journal and writes a snapshot of what stood in the old
// one. Whatever moment it is killed at, snapshot, journal.old and journal
// together say everything.
func (j *Journal) compact() error {
	if err := j.rotate(); err != nil {
		return err
	}
	return j.writeSnapshot()
}

// rotate lets appends go on in a new file.
func (j *Journal) rotate() error {
	if _, err := os.Stat(j.path("journal.old")); err == nil {
		return nil // the last snapshot failed: its part is still needed
	}
	next, err := newFile(j.path("journal.new"))
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return errors.Join(ErrClosed, next.Close())
	}
	if err := os.Rename(j.path("journal"), j.path("journal.old")); err != nil {
		return errors.Join(err, next.Close())
	}
	if err := os.Rename(j.path("journal.new"), j.path("journal")); err != nil {
		back := os.Rename(j.path("journal.old"), j.path("journal"))
		return errors.Join(err, back, next.Close())
	}
	old := j.file
	j.file, j.size, j.dirty = next, int64(len(magic)), true
	return errors.Join(old.Sync(), old.Close())
}

// writeSnapshot makes the snapshot that journal.old is then no longer needed
// for.
func (j *Journal) writeSnapshot() error {
	f, err := newFile(j.path("snapshot.new"))
	if err != nil {
		return err
	}
	size := int64(len(magic))
	w := bufio.NewWriterSize(f, 1<<18)
	var buf []byte
	err = j.source.Dump(func(record []byte) error {
		buf = frame(buf[:0], record)
		size += int64(len(buf))
		_, err := w.Write(buf)
		return err
	})
	if err = errors.Join(err, w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	j.sync() // the snapshot may hold what the journal says later
	if err := os.Rename(j.path("snapshot.new"), j.path("snapshot")); err != nil {
		return err
	}
	if err := syncDir(j.dir); err != nil {
		return err
	}
	j.mu.Lock()
	j.base = size
	j.mu.Unlock()
	return os.Remove(j.path("journal.old"))
}

// newFile makes an empty file of records.
func newFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(magic); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// syncDir makes renames last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
