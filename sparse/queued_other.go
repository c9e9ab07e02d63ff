//go:build !linux

package sparse

import "time"

// queued is known on Linux only.
func queued() (sum time.Duration, ok bool) { return 0, false }
