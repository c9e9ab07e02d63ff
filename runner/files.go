package runner

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
	fileConfig     = "config.yaml"
	fileStore      = "run.db"
	fileProfile    = "profile.yaml"
	fileSupernet   = "supernet.safetensors"
	fileCheckpoint = "supernet.checkpoint"
	fileFront      = "front.json"
	dirWinners     = "winners"
	fileONNX       = "model.onnx"
	fileProgram    = "model.evosr"
	fileCard       = "card.json"
)

// How long a directory's lock is asked for.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// errLocked says that another process holds the run directory.
var errLocked = errors.New("another run is working in this directory")

// sweep removes what a killed run left half-written.
func sweep(dir string) error {
	for _, pattern := range []string{filepath.Join(dir, whole.Temporary), filepath.Join(dir, dirWinners, whole.Temporary)} {
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

func hashFile(path string) (string, error) {
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
