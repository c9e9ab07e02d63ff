package sparse

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// queued is how long each thread of this process has been ready to run without a
// core, since it started: the second number of its schedstat file. ok is false
// where the kernel keeps no such account.
func queued() (waits map[string]time.Duration, ok bool) {
	const tasks = "/proc/self/task"
	list, err := os.ReadDir(tasks)
	if err != nil {
		return nil, false
	}
	waits = make(map[string]time.Duration, len(list))
	for _, task := range list {
		text, err := os.ReadFile(filepath.Join(tasks, task.Name(), "schedstat"))
		if err != nil {
			continue // this thread ended meanwhile
		}
		fields := strings.Fields(string(text))
		if len(fields) != 3 {
			return nil, false
		}
		ns, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return nil, false
		}
		waits[task.Name()] = time.Duration(ns)
	}
	return waits, len(waits) > 0
}
