package runner

import (
	"fmt"
	"os"
	"path/filepath"
)

// busyShare is the share of waiting from which a machine counts as busy: an idle
// one stays below a twentieth.
const busyShare = 0.15

// turns is how long the threads of this process have run, and how long they have
// been ready to run without a core, nanoseconds. ok is false where the kernel keeps
// no such account.
func turns() (ran, waited int64, ok bool) {
	list, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil {
		return 0, 0, false
	}
	for _, path := range list {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // this thread ended meanwhile
		}
		var r, w int64
		if _, err := fmt.Sscan(string(text), &r, &w); err == nil {
			ran, waited, ok = ran+r, waited+w, true
		}
	}
	return ran, waited, ok
}

// waiting runs f and says which share of its time was spent waiting for a core; 0
// where that cannot be told.
func waiting(f func() error) (share float64, err error) {
	ran, waited, ok := turns()
	if err := f(); err != nil || !ok {
		return 0, err
	}
	r, w, _ := turns()
	if r-ran+w-waited <= 0 {
		return 0, nil
	}
	return max(0, float64(w-waited)/float64(r-ran+w-waited)), nil
}
