package supernet_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"evosr/space"
	"evosr/supernet"
)

// waves are pictures to train on: each patch is a wave and its means of two by two.
type waves struct{}

func (waves) Patch(rng *rand.Rand, size int, lr, hr []float32) {
	clear(lr)
	a, b, c := rng.Float64()/4, rng.Float64()/4, rng.Float64()*6
	for y := range 2 * size {
		for x := range 2 * size {
			v := float32(0.5 + 0.4*math.Sin(a*float64(x)+b*float64(y)+c))
			hr[y*2*size+x] = v
			lr[y/2*size+x/2] += v / 4
		}
	}
}

// A supernet is trained, and a network is cut out of it.
func ExampleNewTrainer() {
	slot := space.Slot{Skip: true, Blocks: space.Blocks{space.Plain: {1}}}
	s := supernet.New(&space.Space{Scale: 2, Colors: 1, Widths: []int{4}, Slots: []space.Slot{slot}}, 1)
	t, err := supernet.NewTrainer(s, waves{}, supernet.Options{Steps: 300, Batch: 2, Patch: 12, Rate: 1e-3, Threads: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	var first, last float64
	for i := range 300 {
		stats, err := t.Step()
		if err != nil {
			fmt.Println(err)
			return
		}
		if i < 50 {
			first += stats.Loss
		} else if i >= 250 {
			last += stats.Loss
		}
	}
	net, err := t.Averaged().Extract(s.Space.Largest())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(last < first, net.Genome, net.Params())
	// Output: true w4;head;plain1;tail 588
}
