//go:build !linux

package sparse

import "time"

// queued is known on Linux only.
func queued() (waits map[string]time.Duration, ok bool) { return nil, false }
