package sparse

import (
	"fmt"
	"math"
	"slices"

	"evosr/internal/half"
)

// Half returns a Program of the same network with weights rounded to float16,
// which Encode writes in half the bytes, and the largest difference of a weight.
// Biases, slopes and gains stay float32; so does all arithmetic.
func (p *Program) Half() (q *Program, loss float64, err error) {
	round := func(name string, weights []float32) ([]float32, error) {
		to := make([]float32, len(weights))
		for i, v := range weights {
			to[i] = half.From(half.Of(v))
			if d := math.Abs(float64(to[i]) - float64(v)); d <= half.Max {
				loss = max(loss, d)
				continue
			}
			return nil, fmt.Errorf("sparse: float16: %q has a weight of %v, want at most %v", name, v, float64(half.Max))
		}
		return to, nil
	}
	to := *p.c.graph
	to.Nodes = slices.Clone(to.Nodes)
	for i := range to.Nodes {
		n := &to.Nodes[i]
		if n.Mask == nil && len(n.Weights) > 0 && slices.Contains(n.Weights, 0) {
			n.Mask = n.KeptMask() // what only now becomes zero is no pruned weight
		}
		if n.Weights, err = round(n.Name, n.Weights); err != nil {
			return nil, 0, err
		}
	}
	c := &compiled{params: p.c.params, kept: p.c.kept, dense: p.c.dense}
	c.passes = slices.DeleteFunc(p.Passes(), func(x Pass) bool { return x.Name != "eliminate" })
	c.reduce(&to, maxMade)
	c.half = true
	q, err = finish(c, p.c.set, Options{Threads: p.c.threads, MaxBytes: p.c.maxBytes})
	if err != nil {
		return nil, 0, err
	}
	q.meta = p.Meta()
	return q, loss, nil
}

// IsHalf says whether the weights are float16 in a file.
func (p *Program) IsHalf() bool { return p.c.half }
