package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
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

// writeWhole writes a file so that it is there whole or not at all, also after
// a loss of power.
func writeWhole(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if _, err = f.Write(text); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// sweep removes what a killed run left half-written: its own files, and those
// that supernet writes beside fileSupernet and fileCheckpoint.
func sweep(dir string) error {
	for _, pattern := range []string{filepath.Join(dir, ".tmp-*"), filepath.Join(dir, "."+fileSupernet+".*"), filepath.Join(dir, "."+fileCheckpoint+".*"), filepath.Join(dir, dirWinners, ".tmp-*")} {
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
