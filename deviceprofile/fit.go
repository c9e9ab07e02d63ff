package deviceprofile

import (
	"math"
	"slices"

	"evosr/internal/kernel"
	"evosr/sparse"
)

// Sizes of the features. They need not be the device's: coefficients of zero
// switch a term off. A micro-kernel of b channels walks over strips of about
// stripVectors/b vectors.
const (
	vectorBytes  = 4 * kernel.Lanes
	nearBytes    = 32 << 10 // of a layer's input between one row of a strip and the next
	keptBytes    = 1 << 20  // of what a program keeps between bands
	keptRows     = 12       // about, of every channel that is kept
	stripVectors = 24
)

// layerTerms is how many coefficients a layer has; vector and features have the
// same order.
const layerTerms = 16 + 10

func (c *LayerCost) vector() []float64 {
	return slices.Concat(c.Tap1NS, c.Tap3NS, c.FarNS, c.BlockNS,
		[]float64{c.ReadNS, c.WriteNS, c.AddNS, c.SpillNS, c.SpillReadNS, c.RowNS, c.ListNS, c.BandNS, c.ColdNS, c.ConstantNS})
}

func layerCost(v []float64) LayerCost {
	part := func(i int) []float64 { return slices.Clone(v[4*i : 4*i+4]) }
	return LayerCost{Tap1NS: part(0), Tap3NS: part(1), FarNS: part(2), BlockNS: part(3),
		ReadNS: v[16], WriteNS: v[17], AddNS: v[18], SpillNS: v[19], SpillReadNS: v[20],
		RowNS: v[21], ListNS: v[22], BandNS: v[23], ColdNS: v[24], ConstantNS: v[25]}
}

// features is how often each layer of a w x h picture pays each coefficient.
func features(layers []sparse.LayerInfo, w, h, threads int) [][]float64 {
	bands := math.Ceil(float64(h) / float64(max(sparse.BandRows(layers, w, h, threads), 1)))
	row := float64((w + kernel.Lanes - 1) / kernel.Lanes)
	vectors := row * float64(h)
	var list [][]float64
	for i := range layers {
		l := &layers[i]
		f := make([]float64, layerTerms)
		tap := 0
		if l.Kernel > 1 {
			tap = 4
		}
		blocks, bytes := 0, 0
		for size := range 4 {
			span := float64(l.In*l.Kernel) * min(row, stripVectors/float64(int(1)<<size)) * vectorBytes
			taps := float64(l.BlockTaps[size]) * vectors
			f[tap+size] = taps
			f[8+size] = taps * beyond(nearBytes, span)
			f[12+size] = float64(l.Blocks[size]) * vectors
			blocks += l.Blocks[size]
			bytes += l.BlockTaps[size] * (4 + 4<<size)
		}
		cold := beyond(keptBytes, float64(l.Resident)*row*keptRows*vectorBytes)
		f[16] = float64(l.In) * vectors
		f[17] = float64(l.Out) * vectors
		f[20] = f[16] * cold
		if l.Residual {
			f[18] = f[17]
			f[20] += f[17] * cold
		}
		if !l.Local {
			f[19] = f[17] * cold
		}
		f[21] = float64(blocks) * float64(h)
		f[22] = float64(bytes) / 64 * bands
		f[23] = bands
		f[24] = bands * cold
		f[25] = 1
		list = append(list, f)
	}
	return list
}

// beyond is the share of size bytes, used in turn, that a cache does not hold.
func beyond(cache, size float64) float64 { return max(0, 1-cache/max(size, 1)) }

func (c *FrameCost) vector() []float64 {
	return []float64{c.Waiting, c.OutputNS, c.LayerNS, c.ConstantNS}
}

func frameCost(v []float64) FrameCost {
	return FrameCost{Waiting: v[0], OutputNS: v[1], LayerNS: v[2], ConstantNS: v[3]}
}

// frameFeatures is the same for a whole picture whose layers take sum
// nanoseconds. The last layer has a channel for every output pixel.
func frameFeatures(sum float64, layers []sparse.LayerInfo, w, h int) []float64 {
	vectors := float64((w+kernel.Lanes-1)/kernel.Lanes) * float64(h)
	out := 0
	if n := len(layers); n > 0 {
		out = layers[n-1].Out
	}
	return []float64{sum, float64(out) * vectors, float64(len(layers)), 1}
}

func dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// nonNegative finds x >= 0 with rows·x close to want, by relative error: least
// squares by coordinate descent, then with rows that are far off counting less
// (Cauchy's weights), so that a disturbed measurement does not bend the model.
func nonNegative(rows [][]float64, want []float64) []float64 {
	n := len(rows[0])
	scaled := make([][]float64, len(rows))
	weight := make([]float64, len(rows))
	for i, r := range rows {
		scaled[i] = make([]float64, n)
		for j, v := range r {
			scaled[i][j] = v / want[i]
		}
		weight[i] = 1
	}
	x := make([]float64, n)
	for range 10 {
		x = descend(scaled, weight, x)
		errs := make([]float64, len(rows))
		for i, r := range scaled {
			errs[i] = math.Abs(dot(r, x) - 1)
		}
		sorted := slices.Sorted(slices.Values(errs))
		limit := max(3*sorted[len(sorted)/2], 0.01)
		for i, e := range errs {
			weight[i] = 1 / (1 + e*e/(limit*limit))
		}
	}
	return x
}

// descend minimises Σ weight (row·x - 1)² over x >= 0 from a start. The normal
// matrix is small; a coordinate step is exact.
func descend(rows [][]float64, weight []float64, start []float64) []float64 {
	n := len(start)
	a := make([][]float64, n)
	b := make([]float64, n)
	scale := make([]float64, n) // coordinates differ by many orders of magnitude
	for j := range n {
		for _, r := range rows {
			scale[j] = max(scale[j], r[j])
		}
		if scale[j] == 0 {
			scale[j] = 1
		}
	}
	for j := range n {
		a[j] = make([]float64, n)
		for i, r := range rows {
			b[j] += weight[i] * r[j] / scale[j]
			for k := range n {
				a[j][k] += weight[i] * r[j] / scale[j] * r[k] / scale[k]
			}
		}
		// A touch of ridge decides between terms that the samples cannot tell
		// apart.
		a[j][j] += 1e-7 * float64(len(rows))
	}
	x := make([]float64, n)
	for j := range x {
		x[j] = start[j] * scale[j]
	}
	for range 20000 {
		moved := 0.0
		for j := range n {
			g := b[j] - dot(a[j], x)
			next := max(0, x[j]+g/a[j][j])
			moved = max(moved, math.Abs(next-x[j])*math.Sqrt(a[j][j]))
			x[j] = next
		}
		if moved < 1e-9*math.Sqrt(float64(len(rows))) {
			break
		}
	}
	for j := range x {
		x[j] /= scale[j]
	}
	return x
}
