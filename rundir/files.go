package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"evosr/internal/whole"
)

// Names in a run directory.
const (
	FileConfig     = "config.yaml"
	FileStore      = "run.db"
	FileProfile    = "profile.yaml"
	FileSupernet   = "supernet.safetensors"
	FileCheckpoint = "supernet.checkpoint"
	FileFront      = "front.json"
	DirWinners     = "winners"
	FileONNX       = "model.onnx"
	FileProgram    = "model.evosr"
	FileCard       = "card.json"
)

// How long a directory's lock is asked for.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// ErrLocked says that another process holds the run directory.
var ErrLocked = errors.New("another run is working in this directory")

// Sweep removes what a killed run left half-written.
func Sweep(dir string) error {
	for _, pattern := range []string{filepath.Join(dir, whole.Temporary), filepath.Join(dir, DirWinners, whole.Temporary)} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// HashFile is the SHA-256 of a file's content, 64 hexadecimal digits.
func HashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
