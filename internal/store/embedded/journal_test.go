package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// words is a source that remembers "key=value" records.
type words struct {
	mu     sync.Mutex
	values map[string]string
}

func (w *words) Load(record []byte) error {
	key, value, ok := strings.Cut(string(record), "=")
	if !ok {
		return errors.New("no word")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(key, value)
	return nil
}

// set needs the lock.
func (w *words) set(key, value string) {
	if w.values == nil {
		w.values = make(map[string]string)
	}
	w.values[key] = value
}

func (w *words) Dump(write func([]byte) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, v := range w.values {
		if err := write([]byte(k + "=" + v)); err != nil {
			return err
		}
	}
	return nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for k, v := range w.values {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func mustOpen(t *testing.T, dir string, w *words) (*Journal, Opened) {
	t.Helper()
	j, found, err := Open(dir, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, found
}

func put(t *testing.T, j *Journal, w *words, key, value string) {
	t.Helper()
	w.mu.Lock() // a Dump sees both or neither
	defer w.mu.Unlock()
	if err := j.Append([]byte(key + "=" + value)); err != nil {
		t.Error(err)
	}
	w.set(key, value)
}

// reopened closes the journal and returns what another process would load.
func reopened(t *testing.T, j *Journal) (string, Opened) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var w words
	next, found := mustOpen(t, j.dir, &w)
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	return w.String(), found
}

func TestAppendsAreLoaded(t *testing.T) {
	var w words
	j, found := mustOpen(t, filepath.Join(t.TempDir(), "new", "dir"), &w)
	if found != (Opened{}) {
		t.Errorf("a new directory: %+v", found)
	}
	put(t, j, &w, "a", "1")
	put(t, j, &w, "b", "")
	put(t, j, &w, "a", strings.Repeat("x", 100_000))
	got, found := reopened(t, j)
	if got != w.String() || found.Records != 3 || found.Cut != 0 {
		t.Errorf("loaded %d bytes, %+v; want %d bytes of 3 records", len(got), found, len(w.String()))
	}
}

func TestCutAtFirstBadRecord(t *testing.T) {
	for name, damage := range map[string]func(whole []byte, last int) []byte{
		"the last record is torn":          func(b []byte, _ int) []byte { return b[:len(b)-1] },
		"only a header was written":        func(b []byte, last int) []byte { return b[:last+headerSize] },
		"half a header":                    func(b []byte, last int) []byte { return b[:last+3] },
		"a bit flipped in the last record": func(b []byte, _ int) []byte { b[len(b)-1] ^= 1; return b },
		"a length beyond all bounds":       func(b []byte, last int) []byte { b[last+3] = 0xff; return b },
	} {
		t.Run(name, func(t *testing.T) {
			var w words
			j, _ := mustOpen(t, t.TempDir(), &w)
			put(t, j, &w, "a", "1")
			put(t, j, &w, "b", "2")
			last := int(j.size)
			put(t, j, &w, "c", "3")
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(j.dir, "journal")
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			whole = damage(whole, last)
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}

			var left words
			again, found := mustOpen(t, j.dir, &left)
			if left.String() != "a=1 b=2" || found.Cut != int64(len(whole)-last) {
				t.Errorf("loaded %q, %+v; want a and b, %d bytes cut", left.String(), found, len(whole)-last)
			}
			put(t, again, &left, "d", "4")
			if got, found := reopened(t, again); got != "a=1 b=2 d=4" || found.Cut != 0 {
				t.Errorf("after an append behind the cut: %q, %+v", got, found)
			}
		})
	}
}

func TestSnapshotReplacesJournal(t *testing.T) {
	var w words
	j, _ := mustOpen(t, t.TempDir(), &w)
	for i := range 100 {
		put(t, j, &w, fmt.Sprint("k", i%10), fmt.Sprint(i))
	}
	before := j.size
	if err := j.compact(); err != nil {
		t.Fatal(err)
	}
	if j.size >= before {
		t.Errorf("the journal has %d bytes after a snapshot, %d before", j.size, before)
	}
	put(t, j, &w, "k1", "new")
	got, found := reopened(t, j)
	if got != w.String() || found.Records != 11 {
		t.Errorf("loaded %q, %+v; want %q of 11 records", got, found, w.String())
	}
}

// A crash at any step of a snapshot loses nothing and brings nothing back.
func TestCrashDuringSnapshot(t *testing.T) {
	for name, crash := range map[string]func(t *testing.T, j *Journal){
		"before the snapshot is written": func(t *testing.T, j *Journal) {
			if err := j.rotate(); err != nil {
				t.Fatal(err)
			}
		},
		"a snapshot is half written": func(t *testing.T, j *Journal) {
			if err := j.rotate(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(j.path("snapshot.new"), []byte(magic+"x"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"journal.old was not removed": func(t *testing.T, j *Journal) {
			old, err := os.ReadFile(j.path("journal"))
			if err != nil {
				t.Fatal(err)
			}
			if err := j.compact(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(j.path("journal.old"), old, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var w words
			j, _ := mustOpen(t, t.TempDir(), &w)
			put(t, j, &w, "a", "old")
			put(t, j, &w, "b", "old")
			crash(t, j)
			put(t, j, &w, "a", "new")
			if got, _ := reopened(t, j); got != "a=new b=old" {
				t.Fatalf("loaded %q", got)
			}
			if _, err := os.Stat(j.path("journal.old")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("journal.old is still there: %v", err)
			}
			if got, _ := reopened(t, j); got != "a=new b=old" {
				t.Errorf("loaded %q the second time", got)
			}
		})
	}
}

func TestDamagedSnapshotIsAFault(t *testing.T) {
	var w words
	j, _ := mustOpen(t, t.TempDir(), &w)
	put(t, j, &w, "a", "1")
	if err := j.compact(); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	if err := os.Truncate(j.path("snapshot"), int64(len(magic)+headerSize+1)); err != nil {
		t.Fatal(err)
	}
	_, _, err := Open(j.dir, &words{})
	if err == nil || !strings.Contains(err.Error(), "snapshot is damaged") {
		t.Fatalf("Open = %v; want a fault: these counters would silently begin at 0", err)
	}
	if _, _, err = Open(j.dir, &words{}); errors.Is(err, ErrInUse) {
		t.Error("a failed Open kept the lock")
	}
}

func TestForeignFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	if err := os.WriteFile(path, []byte("llmgwj9\nsomething newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(dir, &words{}); !errors.Is(err, errForeign) {
		t.Errorf("Open = %v; want a refusal", err)
	}
	if b, _ := os.ReadFile(path); len(b) != 23 {
		t.Errorf("%d bytes left of the file", len(b))
	}
}

func TestOneProcess(t *testing.T) {
	var w words
	j, _ := mustOpen(t, t.TempDir(), &w)
	_, _, err := Open(j.dir, &words{})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "use a Redis store for more than one replica") {
		t.Errorf("a second Open: %v; want ErrInUse", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, j.dir, &words{})
}

func TestFailedWriteLeavesJournalReadable(t *testing.T) {
	var w words
	j, _ := mustOpen(t, t.TempDir(), &w)
	put(t, j, &w, "a", "1")
	// Half a record stands behind the end, as a full disk leaves it.
	if _, err := j.file.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	if err := j.undo(4, full); !errors.Is(err, full) {
		t.Fatalf("undo = %v", err)
	}
	put(t, j, &w, "b", "2")
	if got, found := reopened(t, j); got != "a=1 b=2" || found.Cut != 0 {
		t.Errorf("loaded %q, %+v", got, found)
	}
}

func TestClosedRefuses(t *testing.T) {
	var w words
	j, _ := mustOpen(t, t.TempDir(), &w)
	_ = j.Close()
	if err := j.Append([]byte("a=1")); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close = %v", err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("Close again = %v", err)
	}
}

// Snapshots in the background must not disturb appends.
func TestAppendsDuringSnapshots(t *testing.T) {
	var w words
	j, _ := mustOpen(t, t.TempDir(), &w)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				put(t, j, &w, fmt.Sprint("g", g, "-", i%7), fmt.Sprint(i))
			}
		})
	}
	for range 20 {
		if err := j.compact(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if got, _ := reopened(t, j); got != w.String() {
		t.Errorf("loaded %q; want %q", got, w.String())
	}
}

func BenchmarkAppend(b *testing.B) {
	j, _, err := Open(b.TempDir(), &words{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	record := make([]byte, 120)
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Append(record); err != nil {
			b.Fatal(err)
		}
	}
}
