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
	if same(from, to) {
		return usagef("%s is the file to be exported: choose another name", to)
	}
	text, err := readChecked(from, want)
	if err != nil {
		return err
	}
	return writeWhole(to, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(text))
		return err
	})
}

// readChecked reads a file whose SHA-256 is known.
func readChecked(from, want string) ([]byte, error) {
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
