package kernel

import (
	"fmt"
	"math"
)

// winogradFilter transforms three weights of a row or column (G of the papers).
// Rows of ±p are scaled by p, so that the way back has one factor less.
var winogradFilter = func() (g [tileIn][3]float64) {
	finite := []float64{0, rootHalf, -rootHalf, rootTwo, -rootTwo}
	for i, p := range finite {
		scale := math.Abs(p)
		if i == 0 {
			scale = 1
		}
		for j, q := range finite {
			if j != i {
				scale /= p - q
			}
		}
		g[i] = [3]float64{scale, scale * p, scale * p * p}
	}
	g[5] = [3]float64{0, 0, 1}
	return g
}()

// NewWinograd prepares dense weights (out, in, 3, 3) for s. It returns nil where
// s has no such kernels.
func (s *Set) NewWinograd(out, in int, w, bias []float32) *Winograd {
	checkFilters("NewWinograd", out, in, w, bias)
	if s.winograd == nil {
		return nil
	}
	g := &Winograd{In: in, Out: out, bias: append([]float32(nil), bias...), u: Aligned(tilePoints * in * out), set: s.winograd}
	for first := 0; first < out; {
		b, points := g.block(first)
		for j := range b {
			for i := range in {
				for p, u := range transformFilter(w[((first+j)*in+i)*9:][:9]) {
					points[(p*in+i)*b+j] = float32(u)
				}
			}
		}
		first += b
	}
	return g
}

func checkFilters(op string, out, in int, w, bias []float32) {
	if len(w) != out*in*9 || len(bias) != out || out < 1 || in < 1 {
		panic(fmt.Sprintf("kernel: %s: %d weights and %d biases for %d to %d channels", op, len(w), len(bias), in, out))
	}
}

// transformFilter is G w G^T.
func transformFilter(w []float32) (u [tilePoints]float64) {
	var half [tileIn][3]float64
	for r, g := range winogradFilter {
		for x := range 3 {
			half[r][x] = g[0]*float64(w[x]) + g[1]*float64(w[3+x]) + g[2]*float64(w[6+x])
		}
	}
	for r := range half {
		for c, g := range winogradFilter {
			u[r*tileIn+c] = g[0]*half[r][0] + g[1]*half[r][1] + g[2]*half[r][2]
		}
	}
	return u
}

// WinogradColumns is how many pixels of a row are computed for layers of s of
// that size: as Winograd.Columns, or half of it where two rows share a vector. It
// is 0 where s has no kernels by Winograd or only plain loops, which are slower
// than direct ones.
func (s *Set) WinogradColumns(width, height int) int {
	if s.winograd == nil || s.winograd.lanes == 1 {
		return 0
	}
	if pairs(s.winograd.lanes, width, height) {
		return pairWidth
	}
	return s.winograd.columns(width)
}

// WinogradScratch is the floats of scratch memory for layers of at most in input
// channels on s.
func (s *Set) WinogradScratch(in int) int { return s.winograd.scratch(in) }

// WinogradFloats is the memory that Transform takes for a layer.
func WinogradFloats(out, in int) int { return tilePoints*out*in + roundUp(max(out, in), Lanes) }

// Transform makes g what NewWinograd makes, for weights that change often: in
// float32, tens of times as fast and without allocation. Its numbers lie at the
// start of room, the caller's memory, best aligned to 64 bytes; it returns the
// rest. s must have such kernels.
//
// With transpose g becomes the input gradient of the layer, as with Lower: from
// out to in channels, filters turned by 180 degrees, without bias.
func (g *Winograd) Transform(s *Set, out, in int, w, bias []float32, transpose bool, room []float32) (rest []float32) {
	checkFilters("Transform", out, in, w, bias)
	size := tilePoints * out * in
	end := WinogradFloats(out, in)
	g.In, g.Out, g.set = in, out, s.winograd
	stepO, stepI := in, 1 // from filter to filter
	if transpose {
		g.In, g.Out, stepO, stepI = out, in, 1, in
	}
	g.u, g.bias = room[:size:size], room[size:size+g.Out:end]
	clear(g.bias)
	if !transpose {
		copy(g.bias, bias)
	}
	for first := 0; first < g.Out; {
		b, u := g.block(first)
		n := g.In * b
		for i := range g.In {
			for j := range b {
				gatherFilter(u[i*b+j:], n, w[((first+j)*stepO+i*stepI)*9:], transpose)
			}
		}
		s.winograd.filters(u, n)
		first += b
	}
	return room[end:]
}

// gatherFilter writes the nine weights of a filter n floats apart.
func gatherFilter(to []float32, n int, w []float32, turned bool) {
	w, to = w[:9], to[:8*n+1]
	if turned {
		to[0], to[n], to[2*n] = w[8], w[7], w[6]
		to[3*n], to[4*n], to[5*n] = w[5], w[4], w[3]
		to[6*n], to[7*n], to[8*n] = w[2], w[1], w[0]
		return
	}
	to[0], to[n], to[2*n] = w[0], w[1], w[2]
	to[3*n], to[4*n], to[5*n] = w[3], w[4], w[5]
	to[6*n], to[7*n], to[8*n] = w[6], w[7], w[8]
}

// Numbers of the filters' transform: winogradFilter's but for 0 and 1.
const (
	filterLarge = rootTwo / 3
	filterThird = 1. / 3
	filterSmall = rootTwo / 6
)

func filtersScalar(u []float32, n int) { filtersFrom(u, n, 0) }

// filtersFrom transforms the filters from one on.
func filtersFrom(u []float32, n, from int) {
	for at := from; at < n; at++ {
		for x := range 3 {
			pointsOf(u[x*n+at:], 3*n, tileIn*n)
		}
		for r := range tileIn {
			pointsOf(u[r*tileIn*n+at:], n, n)
		}
	}
}

// pointsOf replaces three weights, from apart, by six values, to apart.
func pointsOf(u []float32, from, to int) {
	w0, w1, w2 := u[0], u[from], u[2*from]
	odd := w1 * filterThird
	small, large := -w0*filterLarge-w2*filterSmall, w0*filterSmall+w2*filterLarge
	u[to], u[2*to] = small-odd, small+odd
	u[3*to], u[4*to], u[5*to] = large+odd, large-odd, w2
}
