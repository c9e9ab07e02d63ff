//go:build linux || darwin

package doctor

import "syscall"

// diskFree gives the bytes that may still be written to a folder's disk, or 0.
func diskFree(dir string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
