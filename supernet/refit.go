package supernet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"evosr/internal/kernel"
	"evosr/network"
)

// Refit is pictures that the last layer of networks is refitted to: cut out of
// shared weights, pruned and narrowed, a network's inside gives the last layer
// other values than it was trained for, and most of what that costs one linear
// layer can take back in closed form, without a step of training. It is safe for
// concurrent use.
type Refit struct {
	scale, colors, patch, count int
	lr, hr                      []float32 // by patch
	kernels                     *kernel.Set
}

// RefitOptions says what a network is refitted to.
type RefitOptions struct {
	Count   int // patches
	Patch   int // side of a patch, low-resolution pixels
	Seed    uint64
	Kernels *kernel.Set // nil means the fastest of this processor
}

const (
	maxRefit = 4096
	// refitRows is of how many rows of a patch one is looked at: what lies beside
	// it differs little.
	refitRows = 2
	// refitTrust is how many pixels of evidence the inherited weights are worth.
	refitTrust = 2000
)

// NewRefit draws the patches from src, which it does not keep.
func NewRefit(src Source, scale, colors int, o RefitOptions) (*Refit, error) {
	if err := checkPatches("refit", o.Count, maxRefit, o.Patch); err != nil {
		return nil, err
	}
	r := &Refit{scale: scale, colors: colors, patch: o.Patch, count: o.Count, kernels: o.Kernels}
	if r.kernels == nil {
		r.kernels = kernel.Best()
	}
	r.lr, r.hr = patchesOf(src, rand.New(rand.NewPCG(mix(o.Seed, streamRefit), 0)), o.Count, o.Patch, colors, scale)
	return r, nil
}

// Net returns net with the kept weights and biases of its last layer moved towards
// the least squared error over the patches, all else as it was: a ridge regression
// around the weights as they are, of which as much is taken as holds between the
// halves of the patches. Equal networks give equal results.
func (r *Refit) Net(net *network.Graph) (*network.Graph, error) {
	if net.Scale != r.scale || net.Colors != r.colors {
		return nil, fmt.Errorf("supernet: refit: scale %d and %d colors, want %d and %d", net.Scale, net.Colors, r.scale, r.colors)
	}
	if err := net.Validate(); err != nil {
		return nil, fmt.Errorf("supernet: refit: %w", err)
	}
	was, err := layersOf(net)
	if err != nil {
		return nil, fmt.Errorf("supernet: refit: %w", err)
	}
	better := was.clone()
	last := &better.list[len(better.list)-1]
	if !last.conv() || last.act != network.ActNone || last.groups > 1 {
		return net, nil // not linear
	}
	last.weights, last.bias = slices.Clone(last.weights), slices.Clone(last.bias)
	halves := r.moments(was)
	all := halves[0].plus(halves[1])
	gain, cost := 0.0, 0.0
	for i, half := range halves {
		g, c := halves[1-i].gain(half.steps(last))
		gain, cost = gain+g, cost+c
	}
	holds := 0.0
	if cost > 0 {
		holds = min(max(gain/cost, 0), 1)
	}
	taps := all.taps - 1
	for o, step := range all.steps(last) {
		for at := range taps {
			last.weights[o*taps+at] += float32(holds * step[at])
		}
		last.bias[o] += float32(holds * step[taps])
	}
	return better.graph(), nil
}

// moments are sums over pixels of what the last layer reads at each of its taps,
// and 1 for its bias: products with each other, and with what each output lacks.
type moments struct {
	taps   int         // those of all inputs, and the bias
	pairs  []float64   // taps x taps, of which what lies below the diagonal counts
	lacks  [][]float64 // by output: taps
	pixels int
}

func newMoments(taps, outs int) *moments {
	m := &moments{taps: taps, pairs: make([]float64, taps*taps)}
	for range outs {
		m.lacks = append(m.lacks, make([]float64, taps))
	}
	return m
}

// plus is the moments of the pixels of both.
func (m *moments) plus(n *moments) *moments {
	sum := newMoments(m.taps, len(m.lacks))
	floats.AddTo(sum.pairs, m.pairs, n.pairs)
	for o := range sum.lacks {
		floats.AddTo(sum.lacks[o], m.lacks[o], n.lacks[o])
	}
	sum.pixels = m.pixels + n.pixels
	return sum
}

// moments runs net over all patches, every other one for each half.
func (r *Refit) moments(net *layers) (halves [2]*moments) {
	n, geo, shapes := frozen(net, r.patch, r.kernels)
	outs := r.colors * r.scale * r.scale
	w := newWorker(r.kernels, geo, shapes, r.colors, outs, 1)
	w.place(n)

	last := &n.layers[len(n.layers)-1]
	taps := last.in*last.kernel*last.kernel + 1
	for i := range halves {
		halves[i] = newMoments(taps, outs)
	}
	g := newGram(taps, outs, (r.patch+refitRows-1)/refitRows, r.patch)
	low := r.colors * r.patch * r.patch
	high := low * r.scale * r.scale
	for i := range r.count {
		w.load(0, r.lr[i*low:(i+1)*low], r.hr[i*high:(i+1)*high], r.scale)
		out := w.forward(n, 0)
		g.take(w.source(last, 0), last.kernel, w.goals[0], out, i/2%refitRows)
		g.add(r.kernels, halves[i%2])
	}
	return halves
}

// gram is the memory in which the moments of one patch are summed.
type gram struct {
	taps, outs int
	x          *kernel.Tensor // channels are taps, the bias's ones, and what the outputs lack
	list       []kernel.Block // all channels of x times its taps
	products   [][]float32    // in the order of list
	flat, none []float32
}

func newGram(taps, outs, rows, width int) *gram {
	g := &gram{taps: taps, outs: outs, x: kernel.NewTensor(taps+outs, rows, width, 0),
		flat: make([]float32, (taps+outs)*taps), none: make([]float32, taps+outs)}
	for y := range rows {
		one := g.x.At(taps-1, y)
		for i := range one {
			one[i] = 1
		}
	}
	s := kernel.Shape{Out: taps + outs, In: taps, Kernel: 1, Row: g.x.Row, Plane: g.x.Plane}
	lower := make([]uint8, len(g.flat)) // the products of taps are symmetric
	for o := range taps + outs {
		for i := range min(o+1, taps) {
			lower[o*taps+i] = 1
		}
	}
	g.list = kernel.Lower(nil, s, g.flat, g.none, lower, 8, false)
	for i := range g.list {
		g.products = append(g.products, make([]float32, len(g.list[i].W)))
	}
	return g
}

// take unfolds what a layer reads at each of its taps, (input, row, column), in
// every refitRows-th row from first on, and what its outputs lack there.
func (g *gram) take(src *kernel.Tensor, side int, goal, out *kernel.Tensor, first int) {
	g.x.H = (src.H - first + refitRows - 1) / refitRows
	half := side / 2
	for y := range g.x.H {
		from := first + y*refitRows
		for c := range src.C {
			for tap := range side * side {
				at := src.Origin + c*src.Plane + (from+tap/side-half)*src.Row + tap%side - half
				copy(g.x.At(c*side*side+tap, y), src.Data[at:])
			}
		}
		for o := range g.outs {
			to, want, got := g.x.At(g.taps+o, y), goal.At(o, from), out.At(o, from)
			for i := range to {
				to[i] = want[i] - got[i]
			}
		}
	}
}

// add adds the moments of what was taken to m.
func (g *gram) add(set *kernel.Set, m *moments) {
	for _, p := range g.products {
		clear(p)
	}
	clear(g.none)
	clear(g.flat)
	set.WeightGrad(g.products, g.none, g.x, g.x, g.list)
	kernel.Scatter(g.flat, g.list, g.products)
	for at := range m.pairs {
		m.pairs[at] += float64(g.flat[at])
	}
	for o, lack := range m.lacks {
		for at, v := range g.flat[(g.taps+o)*g.taps:][:g.taps] {
			lack[at] += float64(v)
		}
	}
	m.pixels += g.x.H * g.x.W
}

// gain is what steps gain along themselves, and what they cost: the quotient is
// the best part of them to take.
func (m *moments) gain(steps [][]float64) (gain, cost float64) {
	for o, step := range steps {
		gain += floats.Dot(step, m.lacks[o])
		for at, v := range step {
			if v != 0 {
				row := m.pairs[at*m.taps:][:at+1]
				cost += v * (2*floats.Dot(step[:at], row[:at]) + v*row[at])
			}
		}
	}
	return gain, cost
}

// steps is by how much the weights that a layer keeps, and its biases, (output,
// tap), are from the least squared error. Outputs whose kept weights are the same
// share one decomposition.
func (m *moments) steps(l *layer) [][]float64 {
	row := m.taps - 1
	mask := func(o int) []uint8 {
		if l.mask == nil {
			return nil
		}
		return l.mask[o*row:][:row]
	}
	order := make([]int, l.out)
	for o := range order {
		order[o] = o
	}
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(mask(a), mask(b)) })
	steps := make([][]float64, l.out)
	var chol mat.Cholesky
	var kept []int
	sound := false
	for i, o := range order {
		steps[o] = make([]float64, m.taps)
		if i == 0 || !slices.Equal(mask(o), mask(order[i-1])) {
			kept = m.kept(mask(o))
			sound = len(kept) > 0 && chol.Factorize(m.among(kept))
		}
		if !sound {
			continue // nothing is known
		}
		lack := mat.NewVecDense(len(kept), nil)
		for j, at := range kept {
			lack.SetVec(j, m.lacks[o][at])
		}
		var step mat.VecDense
		if err := chol.SolveVecTo(&step, lack); err != nil || !finite(step.RawVector().Data) {
			continue
		}
		for j, at := range kept {
			steps[o][at] = step.AtVec(j)
		}
	}
	return steps
}

// kept lists the taps that a mask keeps and that are ever anything but zero.
func (m *moments) kept(mask []uint8) (list []int) {
	for at := range m.taps {
		if m.pairs[at*m.taps+at] > 0 && (at == m.taps-1 || mask == nil || mask[at] != 0) {
			list = append(list, at)
		}
	}
	return list
}

// among is the products of some taps, with the ridge.
func (m *moments) among(kept []int) *mat.SymDense {
	s := mat.NewSymDense(len(kept), nil)
	for i, a := range kept {
		for j, b := range kept[:i+1] {
			s.SetSym(i, j, m.pairs[a*m.taps+b])
		}
		own := m.pairs[a*m.taps+a]
		s.SetSym(i, i, own+own*refitTrust/float64(m.pixels))
	}
	return s
}

func finite(list []float64) bool {
	return !slices.ContainsFunc(list, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}
