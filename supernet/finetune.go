package supernet

import (
	"context"
	"fmt"
	"slices"

	"evosr/internal/kernel"
	"evosr/network"
)

// FineTuneOptions says how one network is fine-tuned; see Options.
type FineTuneOptions struct {
	Steps, Batch, Patch, Threads int
	Rate, Distill                float64
	Seed                         uint64
	Kernels                      *kernel.Set
	Progress                     func(steps int) // called after every step; may be nil
}

// candidates is how many times a fine-tuning is validated, its end included.
const candidates = 5

// FineTune trains the kept weights of net, masks fixed, and returns the best
// network it met as a new one: by validate (higher is better), among them net
// as it came; without validate, the average at the end. outputs may be nil;
// their answers are what Distill of the loss is measured against.
//
// When ctx ends, its error is returned.
func FineTune(ctx context.Context, net *network.Graph, outputs *TeacherOutputs, src Source, validate func(*network.Graph) (float64, error), o FineTuneOptions) (*network.Graph, error) {
	t, err := newTuner(net, outputs, src, o)
	if err != nil {
		return nil, err
	}
	defer t.feed.drop() // the source is the caller's again
	best, score := t.subnet(t.engine.opt.weights), 0.0
	if validate != nil {
		if score, err = validate(best); err != nil {
			return nil, fmt.Errorf("supernet: fine-tune: validate: %w", err)
		}
	}
	for t.step < t.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := t.advance(); err != nil {
			return nil, fmt.Errorf("supernet: fine-tune: %w", err)
		}
		if o.Progress != nil {
			o.Progress(t.step)
		}
		// The last of equal parts of the training end at its last step.
		if t.step*candidates/t.steps == (t.step-1)*candidates/t.steps {
			continue
		}
		now := t.subnet(t.engine.opt.average)
		if validate == nil {
			best = now
			continue
		}
		got, err := validate(now)
		if err != nil {
			return nil, fmt.Errorf("supernet: fine-tune: validate: %w", err)
		}
		if got > score {
			best, score = now, got
		}
	}
	return best, nil
}

// tuner is a training whose bank holds one network's own tensors.
type tuner struct {
	descent
	net   *layers
	masks [][]uint8 // by layer, as refs
	refs  []int
}

func newTuner(g *network.Graph, outputs *TeacherOutputs, src Source, o FineTuneOptions) (*tuner, error) {
	opts := Options{Steps: o.Steps, Batch: o.Batch, Patch: o.Patch, Rate: o.Rate, Distill: o.Distill}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("supernet: fine-tune: %w", err)
	}
	subnet, err := layersOf(g)
	if err != nil {
		return nil, fmt.Errorf("supernet: fine-tune: %w", err)
	}
	for i := range subnet.list {
		l := &subnet.list[i]
		if o := slices.IndexFunc(l.slope, func(v float32) bool { return !(v >= leastSlope/2) }); o >= 0 {
			return nil, fmt.Errorf("supernet: fine-tune: layer %q: slope %d is %v, want at least %v", l.name, o, l.slope[o], leastSlope)
		}
	}
	t := &tuner{net: subnet}
	b, sh, masks := bankOf(subnet)
	t.masks, t.refs = masks, sh.refs
	student := newNet([]*shape{sh}, shardsOf(o.Batch))
	student.fixed = true
	e := newEngine(o.Kernels, []*shape{sh}, []*net{student}, b, subnet.Scale, subnet.Colors, o.Batch, o.Patch, o.Threads)
	e.prepare = func(int) { student.take(sh, b.tensors, b.data, 1, masks) }
	for i, mask := range masks {
		ref := sh.refs[i]
		if ref < 0 {
			continue
		}
		if m := e.opt.muons[ref]; m != nil {
			m.mask = mask
		}
		if l := e.opt.levels[ref]; l != nil {
			l.mask = mask
		}
	}
	t.descent = descent{
		engine: e, feed: newFeed(src, o.Seed, o.Batch, o.Patch, subnet.Colors, subnet.Scale),
		steps: o.Steps, rate: o.Rate, factor: 1,
	}
	if outputs != nil && o.Distill > 0 {
		if err := outputs.fit(subnet, o.Patch); err != nil {
			return nil, err
		}
		student.distill = o.Distill
		t.feed.teach(outputs, min(1, outputLimit*float64(outputs.count)/float64(o.Steps*o.Batch)))
	}
	return t, nil
}

// bankOf copies a network's tensors into a bank of their own.
func bankOf(net *layers) (*bank, *shape, [][]uint8) {
	var tensors []tensor
	var refs []int
	var masks [][]uint8
	for i := range net.list {
		l := &net.list[i]
		if !l.conv() {
			refs, masks = append(refs, -1), append(masks, nil)
			continue
		}
		refs = append(refs, len(tensors))
		tensors = append(tensors, tensor{name: l.name, out: l.out, in: l.in, k: l.kernel, slopes: slices.Clone(l.slope), learned: l.learned,
			inner: l.src >= 0 && i < len(net.list)-1 && l.groups <= 1})
		masks = append(masks, slices.Clone(l.mask))
	}
	b := newBank(tensors)
	for i := range net.list {
		// What a mask removes is zero and gets no gradient, so it stays zero.
		l := net.list[i]
		if !l.conv() {
			continue
		}
		t := &b.tensors[refs[i]]
		l.weights, l.bias = b.weights(t), b.bias(t)
		copy(l.weights, net.list[i].weights)
		copy(l.bias, net.list[i].bias)
		copy(b.slope(t), l.slope)
		applyMask(&l)
	}
	return b, newShape(net.list, refs), masks
}

// subnet is the network with the numbers of data.
func (t *tuner) subnet(data []float32) *network.Graph {
	s := t.net.clone()
	for i := range s.list {
		l := &s.list[i]
		if !l.conv() {
			continue
		}
		l.weights, l.bias, l.mask = make([]float32, l.size()), make([]float32, l.out), slices.Clone(t.masks[i])
		l.slope = slices.Clone(l.slope)
		t.engine.opt.bank.tensors[t.refs[i]].cut(l, data)
	}
	return s.graph()
}
