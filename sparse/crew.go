package sparse

import (
	"sync"

	"evosr/internal/relay"
)

// crew is a fixed number of workers: goroutines that wait between frames, and
// the caller as worker 0.
type crew struct {
	n       int
	wake    []chan struct{} // one for each goroutine, nil before the first run
	job     func(worker int)
	working sync.WaitGroup
	caught  relay.Catcher
	once    sync.Once
}

func newCrew(n int) *crew { return &crew{n: n} }

// run calls job once on each of the first n workers and returns when all are
// done. A worker's panic becomes the caller's.
func (c *crew) run(n int, job func(worker int)) {
	if c.wake == nil && c.n > 1 {
		c.wake = make([]chan struct{}, c.n-1)
		for i := range c.wake {
			c.wake[i] = make(chan struct{}, 1)
			go c.serve(i+1, c.wake[i])
		}
	}
	c.caught = relay.Catcher{} // a panic is told once
	c.job = job
	others := c.wake[:min(n-1, len(c.wake))]
	c.working.Add(len(others))
	for _, w := range others {
		w <- struct{}{}
	}
	c.do(0)
	c.working.Wait()
	c.job = nil // between frames the goroutines hold nothing of the Program
	c.caught.Raise()
}

// do runs the job and keeps its panic for Raise.
func (c *crew) do(worker int) {
	defer c.caught.Catch()
	c.job(worker)
}

func (c *crew) serve(worker int, wake chan struct{}) {
	for range wake {
		c.do(worker)
		c.working.Done()
	}
}

// stop ends the goroutines.
func (c *crew) stop() {
	c.once.Do(func() {
		for _, w := range c.wake {
			close(w)
		}
	})
}
