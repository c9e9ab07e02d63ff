package evolve

import (
	"context"
	"slices"
	"sync"
)

// batch is a run of consecutive children on its way through Evaluate.
type batch[G any] struct {
	from    int // index of the first child
	genomes []G
	bars    [][][]float64 // the front when each was bred
	results []Result
	err     error
}

// crew is the goroutines that call Evaluate.
type crew[G any] struct {
	work   chan batch[G] // not buffered: a batch is taken when a worker is free
	done   chan batch[G] // a place for every worker, so that none waits to hand in
	cancel context.CancelFunc
	idle   sync.WaitGroup
	gone   bool
}

func hire[G any](ctx context.Context, workers int, p *Problem[G]) *crew[G] {
	ctx, cancel := context.WithCancel(ctx)
	c := &crew[G]{work: make(chan batch[G]), done: make(chan batch[G], workers), cancel: cancel}
	for range workers {
		c.idle.Go(func() {
			for b := range c.work {
				b.results, b.err = b.evaluate(ctx, p)
				c.done <- b
			}
		})
	}
	return c
}

// dismiss cancels what is on its way, waits for it to end and gives what was
// not received from done. A second call does nothing.
func (c *crew[G]) dismiss() (rest []batch[G]) {
	if c.gone {
		return nil
	}
	c.gone = true
	c.cancel()
	close(c.work)
	go func() {
		c.idle.Wait()
		close(c.done)
	}()
	for b := range c.done {
		rest = append(rest, b)
	}
	return rest
}

func (b *batch[G]) evaluate(ctx context.Context, p *Problem[G]) ([]Result, error) {
	genomes := slices.Clone(b.genomes)
	if p.Screen == nil {
		return p.Evaluate(ctx, genomes)
	}
	return p.Screen(ctx, genomes, func(i int, bound []float64) bool {
		return slices.ContainsFunc(b.bars[i], func(row []float64) bool { return atMost(row, bound) })
	})
}
