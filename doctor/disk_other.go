//go:build !linux && !darwin

package doctor

// diskFree is not known on this system.
func diskFree(string) int64 { return 0 }
