package sparse

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// queued is how long the threads of this process have been ready to run without
// a core, since they started: the second number of their schedstat files. ok is
// false where the kernel keeps no such account.
func queued() (sum time.Duration, ok bool) {
	const tasks = "/proc/self/task"
	list, err := os.ReadDir(tasks)
	if err != nil {
		return 0, false
	}
	for _, task := range list {
		text, err := os.ReadFile(filepath.Join(tasks, task.Name(), "schedstat"))
		if err != nil {
			continue // this thread ended meanwhile
		}
		fields := strings.Fields(string(text))
		if len(fields) != 3 {
			return 0, false
		}
		ns, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, false
		}
		sum, ok = sum+time.Duration(ns), true
	}
	return sum, ok
}
