//go:build unix

package opinion

import (
	"fmt"
	"syscall"
)

// Limit bounds the address space of this process, for good.
func Limit(bytes uint64) error {
	l := syscall.Rlimit{Cur: bytes, Max: bytes}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &l); err != nil {
		return fmt.Errorf("opinion: limit: %w", err)
	}
	return nil
}
