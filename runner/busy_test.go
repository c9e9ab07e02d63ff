package runner

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestWaiting: as many threads as there are cores, twice, wait for each other; where
// the kernel keeps no account, nothing is told.
func TestWaiting(t *testing.T) {
	if _, _, ok := turns(); !ok {
		t.Skip("this kernel does not tell how long threads wait")
	}
	was := runtime.GOMAXPROCS(4 * runtime.NumCPU())
	defer runtime.GOMAXPROCS(was)
	share, err := waiting(func() error {
		var all sync.WaitGroup
		end := time.Now().Add(300 * time.Millisecond)
		for range 4 * runtime.NumCPU() {
			all.Go(func() {
				for time.Now().Before(end) {
				}
			})
		}
		all.Wait()
		return nil
	})
	if err != nil || share < busyShare {
		t.Errorf("share %v, %v: four threads a core wait for at least %v of the time", share, err, busyShare)
	}
}
