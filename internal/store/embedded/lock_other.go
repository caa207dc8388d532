//go:build !unix

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockDir takes the directory for this process by a file that must not exist.
// Where the system has no lock that ends with the process, a killed process
// leaves it, and a person has to remove it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("embedded store %s: %w", dir, err)
	}
	return f, nil
}

// unlockDir lets another process take the directory.
func unlockDir(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
