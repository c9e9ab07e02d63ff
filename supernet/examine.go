package supernet

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"evosr/imaging"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

// LayerState is what a convolution of a network looks like from inside.
type LayerState struct {
	Name      string  `json:"name"`
	Channels  int     `json:"channels"`               // outputs, without those that a mask removed whole
	Activated bool    `json:"activated"`              // an activation follows: else nothing is active or dead
	Active    float64 `json:"active_share"`           // of the values behind the activation, those above zero
	Dead      int     `json:"dead"`                   // channels that no picture brought above zero; counted behind a ReLU, where they learn no more
	Norm      float64 `json:"norm"`                   // Frobenius norm of the kept weights
	Growth    float64 `json:"norm_ratio"`             // Norm / what it was at the start; 0 where that was 0
	Rank      float64 `json:"rank"`                   // effective, of the matrix of a row for each channel
	FullRank  int     `json:"full_rank"`              // the most that Rank can be
	Update    float64 `json:"update_ratio,omitempty"` // norm of a step's update / norm of the weights, in training only
}

// Died says whether nothing ever comes through the layer's activation.
func (l *LayerState) Died() bool { return l.Activated && l.Channels > 0 && l.Dead == l.Channels }

// A Warning is what somebody should know of a network's layers.
type Warning struct {
	Layer string // "" for the network as a whole
	Text  string
}

// deadShare is the share of a network's channels behind activations from which
// dead ones are warned of.
const deadShare = 0.02

// Warnings lists the layers that died, and says when more than 2 % of a network's
// channels behind activations are dead.
func Warnings(layers []LayerState) []Warning {
	var list []Warning
	dead, all := 0, 0
	for i := range layers {
		l := &layers[i]
		if !l.Activated {
			continue
		}
		dead, all = dead+l.Dead, all+l.Channels
		if l.Died() {
			list = append(list, Warning{l.Name, fmt.Sprintf("%s is dead: none of its %d channels is ever above zero", l.Name, l.Channels)})
		}
	}
	if float64(dead) > deadShare*float64(all) {
		list = append(list, Warning{"", fmt.Sprintf("%d of %d channels are dead: %.1f %%, want at most %.0f %%", dead, all, 100*float64(dead)/float64(all), 100*deadShare)})
	}
	return list
}

const (
	// lookSide is the side of the patches that a network is examined on, and
	// lookMost how many there are at most: spread evenly, 600,000 pixels.
	lookSide = 48
	lookMost = 256
)

// Examine looks into the network of a genome as it runs on low-resolution luma
// pictures; a network of three colors gets each of them three times. Growth is
// against what New draws, in expectation: of pruned layers, as many weights.
func (s *Supernet) Examine(g space.Genome, pictures []*imaging.Plane) ([]LayerState, error) {
	net, err := s.Extract(g)
	if err != nil {
		return nil, err
	}
	layers, err := examine(net, pictures, kernel.Best())
	if err != nil {
		return nil, err
	}
	shape := mustLayers(net)
	at := 0
	for i, ref := range s.refs(shape, g) {
		if ref < 0 {
			continue
		}
		layers[at].Growth = ratio(layers[at].Norm, s.drawn(&s.bank.tensors[ref], &shape.list[i]))
		at++
	}
	return layers, nil
}

// drawn is the norm that New's weights for a layer have, in expectation.
func (s *Supernet) drawn(t *tensor, l *layer) float64 {
	if t.name == "skip" {
		w := make([]float32, l.size())
		bicubic(w, s.Space.Colors, s.Space.Scale)
		return norm(w)
	}
	square := float64(l.kept()) * t.std() * t.std()
	if t.identity() {
		kk := l.kernel * l.kernel
		for o := range l.out {
			if at := (o*l.in+o)*kk + kk/2; l.mask == nil || l.mask[at] != 0 {
				square++
			}
		}
	}
	return math.Sqrt(square)
}

// Watch has the next step's update measured, for Examine to tell.
func (t *Trainer) Watch() {
	t.before = append(t.before[:0], t.net.bank.data...)
	t.watched = t.step + 1
}

// Examine looks into the largest network of the averaged weights; see
// Supernet.Examine. Growth is against the weights that the training started
// from, and Update is that of the last step if it was watched (Watch) and not
// refused.
func (t *Trainer) Examine(pictures []*imaging.Plane) ([]LayerState, error) {
	net, err := t.Averaged().Extract(t.net.Space.Largest())
	if err != nil {
		return nil, err
	}
	layers, err := examine(net, pictures, t.engine.set)
	if err != nil {
		return nil, err
	}
	at := 0
	for i, ref := range t.largest.refs {
		if ref < 0 {
			continue
		}
		state := &layers[at]
		state.Growth = ratio(state.Norm, t.start[at])
		at++
		if t.step > 0 && t.watched == t.step && t.refusals == 0 {
			was := cutOf(&t.net.bank.tensors[ref], &t.largest.layers[i], t.before)
			step := cutOf(&t.net.bank.tensors[ref], &t.largest.layers[i], t.net.bank.data)
			for j, w := range was {
				step[j] -= w
			}
			state.Update = ratio(norm(step), norm(was))
		}
	}
	return layers, nil
}

// startNorms are the norms of the largest network's layers.
func (t *Trainer) startNorms() (list []float64) {
	for i, ref := range t.largest.refs {
		if ref < 0 {
			continue
		}
		list = append(list, norm(cutOf(&t.net.bank.tensors[ref], &t.largest.layers[i], t.net.bank.data)))
	}
	return list
}

// cutOf is the weights of a layer in data.
func cutOf(t *tensor, shape *layer, data []float32) []float32 {
	l := *shape
	l.weights, l.bias = make([]float32, l.size()), make([]float32, l.out)
	t.cut(&l, data)
	return l.weights
}

// examine runs a network over patches of the pictures. All but Growth and Update
// is filled in.
func examine(g *network.Graph, pictures []*imaging.Plane, set *kernel.Set) ([]LayerState, error) {
	side, patches, err := patchesIn(pictures)
	if err != nil {
		return nil, err
	}
	net, err := layersOf(g)
	if err != nil {
		return nil, fmt.Errorf("supernet: examine: %w", err)
	}
	layers := make([]LayerState, len(net.list))
	for i := range net.list {
		if !net.list[i].conv() {
			continue
		}
		if layers[i], err = stateOf(&net.list[i]); err != nil {
			return nil, err
		}
	}
	n, geo, shapes := frozen(net, side, set)
	w := newWorker(set, geo, shapes, net.Colors, net.Colors*net.Scale*net.Scale, 1)
	w.place(n)
	above := make([][]int, len(layers)) // by channel: values above zero
	for i := range layers {
		above[i] = make([]int, net.list[i].out)
	}
	var lr []float32
	for _, p := range patches {
		lr = lr[:0]
		for range net.Colors {
			for y := range side {
				lr = append(lr, p.in.Row(p.y + y)[p.x:p.x+side]...)
			}
		}
		w.load(0, lr, nil, net.Scale)
		w.forward(n, 0)
		for i := range layers {
			if layers[i].Activated {
				countAbove(above[i], &w.acts[i])
			}
		}
	}
	for i := range layers {
		l := &layers[i]
		if !l.Activated || l.Channels == 0 {
			continue
		}
		sum := 0
		for o, count := range above[i] {
			sum += count
			if count == 0 && net.list[i].act == network.ActReLU && !pruned(&net.list[i], o) {
				l.Dead++
			}
		}
		l.Active = float64(sum) / float64(l.Channels*len(patches)*side*side)
	}
	convolutions := layers[:0]
	for i, l := range layers {
		if net.list[i].conv() {
			convolutions = append(convolutions, l)
		}
	}
	return convolutions, nil
}

// activated says whether an activation follows a layer.
func activated(l *layer) bool { return l.act != network.ActNone }

// countAbove adds a channel's values above zero to its count.
func countAbove(counts []int, t *kernel.Tensor) {
	for c := range counts {
		for y := range t.H {
			for _, v := range t.At(c, y) {
				if v > 0 {
					counts[c]++
				}
			}
		}
	}
}

// stateOf is what the weights alone say of a layer.
func stateOf(l *layer) (LayerState, error) {
	s := LayerState{Name: l.name, Activated: activated(l), Norm: norm(l.weights)}
	columns := l.in * l.kernel * l.kernel
	rows := make([]float64, 0, l.size())
	for o := range l.out {
		if pruned(l, o) {
			continue
		}
		s.Channels++
		for _, w := range l.weights[o*columns:][:columns] {
			rows = append(rows, float64(w))
		}
	}
	if math.IsNaN(s.Norm) || math.IsInf(s.Norm, 0) {
		return s, fmt.Errorf("supernet: examine: layer %q: its weights are no numbers", l.name)
	}
	if s.FullRank = min(s.Channels, columns); s.FullRank == 0 {
		return s, nil
	}
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(s.Channels, columns, rows), mat.SVDNone) {
		return s, fmt.Errorf("supernet: examine: layer %q: its singular values cannot be found", l.name)
	}
	s.Rank = effectiveRank(svd.Values(nil))
	return s, nil
}

// effectiveRank is exp of the entropy of the normalised singular values (Roy &
// Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO
// 2007): n equal ones give n. It is 0 where all are 0.
func effectiveRank(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	if sum == 0 {
		return 0
	}
	entropy := 0.0
	for _, v := range values {
		if p := v / sum; p > 0 {
			entropy -= p * math.Log(p)
		}
	}
	return math.Exp(entropy)
}

func norm(w []float32) float64 {
	square := 0.0
	for _, v := range w {
		square += float64(v) * float64(v)
	}
	return math.Sqrt(square)
}

// ratio is a / b, 0 where b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// place is a patch of a picture.
type place struct {
	in   *imaging.Plane
	x, y int // of its upper left pixel
}

// patchesIn covers the pictures with patches, as far as lookMost go.
func patchesIn(pictures []*imaging.Plane) (side int, list []place, err error) {
	side = lookSide
	for _, p := range pictures {
		side = min(side, p.W, p.H)
	}
	if len(pictures) == 0 || side < minPatch {
		return 0, nil, fmt.Errorf("supernet: examine: %d pictures, the least side %d pixels, want at least one and %d", len(pictures), side, minPatch)
	}
	// spread gives where patches begin that cover a length, the last at its end.
	spread := func(length int) (at []int) {
		n := (length + side - 1) / side
		for i := range n {
			at = append(at, i*(length-side)/max(1, n-1))
		}
		return at
	}
	for _, p := range pictures {
		for _, y := range spread(p.H) {
			for _, x := range spread(p.W) {
				list = append(list, place{p, x, y})
			}
		}
	}
	if n := len(list); n > lookMost {
		for i := range lookMost {
			list[i] = list[i*n/lookMost]
		}
		list = list[:lookMost]
	}
	return side, list, nil
}
