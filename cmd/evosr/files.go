package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
)

// copyChecked copies a file whose SHA-256 is known.
func copyChecked(from, to, want string) error {
	text, err := readChecked(from, to, want)
	if err != nil {
		return err
	}
	return writeWhole(to, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(text))
		return err
	})
}

// readChecked reads it, when it is to be exported to another name.
func readChecked(from, to, want string) ([]byte, error) {
	if same(from, to) {
		return nil, usagef("%s is the file to be exported: choose another name", to)
	}
	f, err := os.Open(from)
	if err != nil {
		return nil, integrityf("%s: %w", from, reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxModel))
	if err != nil {
		return nil, dataf("%s: %w", from, reason(err))
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
		return nil, integrityf("%s is not the file that the run wrote: SHA-256 %x, want %s", from, sum, want)
	}
	return text, nil
}
