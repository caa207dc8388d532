package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// load reads all files in the order of their age and opens the journal behind
// its last whole record.
func (j *Journal) load() (Opened, error) {
	var found Opened
	n, size, err := j.loadSnapshot()
	if err != nil {
		return found, err
	}
	j.base, found.Records = size, n

	// A crash while a snapshot was written left the journal in two parts.
	old, err := os.Open(j.path("journal.old"))
	interrupted := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	if interrupted {
		n, _, err := readFile(old, j.source.Load)
		found.Records += n
		if err = errors.Join(err, old.Close()); err != nil {
			return found, err
		}
	}
	if err := j.loadJournal(&found); err != nil {
		return found, err
	}
	if interrupted {
		return found, j.writeSnapshot()
	}
	return found, nil
}

// loadSnapshot reads the snapshot, which is whole or a fault: it got its name
// only after it was written and synced.
func (j *Journal) loadSnapshot() (records int, size int64, err error) {
	f, err := os.Open(j.path("snapshot"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	records, end, err := readFile(f, j.source.Load)
	if err == nil && end != info.Size() {
		err = fmt.Errorf("the snapshot is damaged at byte %d of %d; restore %s from a backup, or remove it to begin with what the journal has", end, info.Size(), f.Name())
	}
	return records, info.Size(), err
}

// loadJournal reads the journal and cuts it at the first record that is not
// whole.
func (j *Journal) loadJournal(found *Opened) error {
	f, err := os.OpenFile(j.path("journal"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j.file = f
	n, end, err := readFile(f, j.source.Load)
	found.Records += n
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	found.Cut = info.Size() - end
	if err := f.Truncate(end); err != nil {
		return err
	}
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		return err
	}
	if end == 0 {
		if _, err := f.WriteString(magic); err != nil {
			return err
		}
		end = int64(len(magic))
	}
	j.size, j.dirty = end, true
	return nil
}

func (j *Journal) path(name string) string { return filepath.Join(j.dir, name) }
