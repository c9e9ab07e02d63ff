// Package whole writes files that are there whole or not at all, also after a
// kill or a loss of power: to a temporary file beside the path, synced, renamed,
// and the folder synced.
package whole

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Temporary is what the names of unfinished files match, for those who sweep up
// after a kill (path/filepath.Glob).
const Temporary = ".tmp-*"

// Write makes path what write writes, with the given permissions. When write
// fails, what was at path stays. A link at path is replaced, not followed.
func Write(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), Temporary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	// The rename lasts once the folder is on disk; where folders cannot be
	// synced, the system sees to it.
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		d.Sync()
		d.Close()
	}
	return nil
}

// WriteBytes makes path hold text, readable by all.
func WriteBytes(path string, text []byte) error {
	return Write(path, 0o644, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}
