package deviceprofile

import (
	"math"
	"slices"

	"evosr/internal/kernel"
	"evosr/sparse"
)

// Cache sizes of the features. They need not be the device's: coefficients of
// zero switch a term off. A micro-kernel of b channels walks over strips of
// about stripVectors/b vectors.
const (
	nearBytes    = 32 << 10 // of a layer's input between one row of a strip and the next
	bandBytes    = 1 << 20  // of all full-size tensors between a write and the next to the same place
	sharedBytes  = 16 << 20 // the same, for a cache that cores share
	stripVectors = 24
	ringRows     = 12 // about, of what is kept between bands
)

// layerTerms is how many coefficients a layer has; vector and layerFeatures
// have the same order.
const layerTerms = 16 + 9

func (c *LayerCost) vector() []float64 {
	return slices.Concat(c.Tap1NS, c.Tap3NS, c.FarNS, c.BlockNS,
		[]float64{c.ReadNS, c.WriteNS, c.AddNS, c.SpillNS, c.SpillFarNS, c.SpillAddNS, c.RowNS, c.LineNS, c.ConstantNS})
}

func layerCost(v []float64) LayerCost {
	part := func(i int) []float64 { return slices.Clone(v[4*i : 4*i+4]) }
	return LayerCost{Tap1NS: part(0), Tap3NS: part(1), FarNS: part(2), BlockNS: part(3),
		ReadNS: v[16], WriteNS: v[17], AddNS: v[18], SpillNS: v[19], SpillFarNS: v[20], SpillAddNS: v[21],
		RowNS: v[22], LineNS: v[23], ConstantNS: v[24]}
}

// layerFeatures is how often a layer of a w x h picture pays each coefficient.
func layerFeatures(l *sparse.LayerInfo, w, h int) []float64 {
	f := make([]float64, layerTerms)
	row := float64((w + kernel.Lanes - 1) / kernel.Lanes)
	vectors := row * float64(h)
	at := 0
	if l.Kernel > 1 {
		at = 4
	}
	blocks := 0
	for i := range 4 {
		span := float64(l.In*l.Kernel) * min(row, stripVectors/float64(int(1)<<i)) * vectorBytes
		f[at+i] = float64(l.BlockTaps[i]) * vectors
		f[8+i] = float64(l.BlockTaps[i]) * vectors * beyond(nearBytes, span)
		f[12+i] = float64(l.Blocks[i]) * vectors
		blocks += l.Blocks[i]
	}
	resident := float64(l.Resident) * row * ringRows * vectorBytes
	f[16] = float64(l.In) * vectors
	f[17] = float64(l.Out) * vectors
	f[19] = f[17] * beyond(bandBytes, resident)
	f[20] = f[17] * beyond(sharedBytes, resident)
	if l.Residual {
		f[18] = f[17]
		f[21] = f[19]
	}
	f[22] = float64(blocks) * float64(h)
	f[23] = float64(h)
	f[24] = 1
	return f
}

const vectorBytes = 4 * kernel.Lanes

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
// (Huber's weights), so that a disturbed measurement does not bend the model.
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
	for range 6 {
		x = descend(scaled, weight, x)
		errs := make([]float64, len(rows))
		for i, r := range scaled {
			errs[i] = math.Abs(dot(r, x) - 1)
		}
		sorted := slices.Sorted(slices.Values(errs))
		limit := max(2*sorted[len(sorted)/2], 0.01)
		for i, e := range errs {
			weight[i] = min(1, limit/max(e, 1e-12))
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
