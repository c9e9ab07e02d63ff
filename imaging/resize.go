package imaging

import (
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Resize returns p at w x h pixels as MATLAB's imresize does it: bicubic with
// a = -0.5, the kernel stretched when shrinking (antialiasing), symmetric
// border, weights normalised, double precision inside. Nothing is rounded or
// clipped. The rows are shared out over the cores when the picture is large; the
// result does not depend on how.
func Resize(p *Plane, w, h int) *Plane {
	dst := NewPlane(w, h)
	NewResizer(p.W, p.H, w, h).Resize(dst, p)
	return dst
}

// Downscale returns the low resolution of the papers: p cropped to a multiple
// of scale, resized to 1/scale and rounded to 8 bits. It panics when a side is
// shorter than scale.
func Downscale(p *Plane, scale int) *Plane {
	if p.W%scale != 0 || p.H%scale != 0 {
		p = p.CropTo(scale)
	}
	return Resize(p, p.W/scale, p.H/scale).Round()
}

// Upscale returns p scale times as large, not rounded.
func Upscale(p *Plane, scale int) *Plane { return Resize(p, p.W*scale, p.H*scale) }

// Resizer resizes planes of one size to another in memory of its own, for video.
// It serves one goroutine at a time.
type Resizer struct {
	x, y    filter
	scratch [][]float64 // per worker: one row of the source's width
}

// NewResizer prepares Resize from (sw, sh) to (dw, dh) pixels. It panics unless
// all are positive.
func NewResizer(sw, sh, dw, dh int) *Resizer {
	if min(sw, sh, dw, dh) < 1 {
		panic(fmt.Sprintf("imaging: NewResizer: %dx%d to %dx%d, want positive sides", sw, sh, dw, dh))
	}
	return newResizer(plainFilter(sw, dw), plainFilter(sh, dh))
}

func newResizer(x, y filter) *Resizer {
	r := &Resizer{x: x, y: y}
	workers, sw, dw, dh := 1, x.in, x.out, y.out
	if work := dh * (sw*r.y.taps + dw*r.x.taps); work > 1<<19 { // below, goroutines cost more than they save
		workers = min(runtime.GOMAXPROCS(0), dh)
	}
	r.scratch = make([][]float64, workers)
	for i := range r.scratch {
		r.scratch[i] = make([]float64, sw)
	}
	return r
}

// Resize writes src, resized, to dst. It panics when the sizes are not those
// that the Resizer was made for.
func (r *Resizer) Resize(dst, src *Plane) {
	if src.W != r.x.in || src.H != r.y.in || dst.W != r.x.out || dst.H != r.y.out {
		panic(fmt.Sprintf("imaging: Resizer: %dx%d to %dx%d, want %dx%d to %dx%d",
			src.W, src.H, dst.W, dst.H, r.x.in, r.y.in, r.x.out, r.y.out))
	}
	r.Window(dst, 0, src, 0)
}

// Needs returns which rows of the source, lo up to hi, the rows from up to to of the
// result are made of.
func (r *Resizer) Needs(from, to int) (lo, hi int) {
	lo, hi = r.y.in, 0
	for _, i := range r.y.index[from*r.y.taps : to*r.y.taps] {
		lo, hi = min(lo, i), max(hi, i+1)
	}
	return lo, hi
}

// Window is Resize of some rows: dst has those from row to of the result on, src
// those from row from of the source on. It panics when src lacks what they need.
func (r *Resizer) Window(dst *Plane, to int, src *Plane, from int) {
	n := min(len(r.scratch), dst.H)
	if n == 1 {
		r.rows(dst, to, src, from, r.scratch[0], 0, dst.H)
		return
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { r.rows(dst, to, src, from, r.scratch[i], dst.H*i/n, dst.H*(i+1)/n) })
	}
	wg.Wait()
}

// rows makes rows begin..end of dst, each first down its columns into acc, then
// along it. imresize starts with the axis of the smaller scale and, at equal
// scales, with the columns. Both axes are linear and nothing is rounded between
// them, so the order moves no more than the last bit of a double.
func (r *Resizer) rows(dst *Plane, to int, src *Plane, from int, acc []float64, begin, end int) {
	for y := begin; y < end; y++ {
		clear(acc)
		index, weight := r.y.at(to + y)
		for k, w := range weight {
			if w == 0 {
				continue
			}
			for x, v := range src.Row(index[k] - from) {
				acc[x] += w * float64(v)
			}
		}
		row := dst.Row(y)
		for x := range row {
			index, weight := r.x.at(x)
			sum := 0.0
			for k, w := range weight {
				sum += w * acc[index[k]]
			}
			row[x] = float32(sum)
		}
	}
}

// filter is one axis of a resize: output i is the sum over its taps of
// weight times input index.
type filter struct {
	in, out, taps int
	index         []int
	weight        []float64
}

func (f *filter) at(i int) (index []int, weight []float64) {
	a, b := i*f.taps, (i+1)*f.taps
	return f.index[a:b:b], f.weight[a:b:b]
}

// plainFilter follows imresize's "contributions", counted from zero: output i has
// its centre at (i+0.5)/scale - 0.5 on the input.
func plainFilter(in, out int) filter {
	scale := float64(out) / float64(in)
	return newFilter(in, out, scale, func(i int) float64 { return (float64(i)+0.5)/scale - 0.5 })
}

// newFilter makes a filter that enlarges by scale and whose output i lies at
// centre(i) on the input.
func newFilter(in, out int, scale float64, centre func(i int) float64) filter {
	width, shrink := 4.0, 1.0
	if scale < 1 {
		width, shrink = 4/scale, scale
	}
	taps := int(math.Ceil(width)) + 2
	f := filter{in: in, out: out, taps: taps, index: make([]int, out*taps), weight: make([]float64, out*taps)}
	for i := range out {
		index, weight := f.at(i)
		centre := centre(i)
		left := int(math.Floor(centre + 1 - width/2)) // imresize counts from one before it rounds down
		sum := 0.0
		for k := range taps {
			j := left - 1 + k
			weight[k] = shrink * cubic(shrink*(centre-float64(j)))
			sum += weight[k]
			index[k] = mirror(j, in)
		}
		for k := range weight {
			weight[k] /= sum
		}
	}
	return f.trimmed()
}

// trimmed drops the first and last taps that weigh nothing anywhere.
func (f filter) trimmed() filter {
	first, last := f.taps, 0
	for i := range f.out {
		_, weight := f.at(i)
		for k, w := range weight {
			if w != 0 {
				first, last = min(first, k), max(last, k)
			}
		}
	}
	t := filter{in: f.in, out: f.out, taps: last + 1 - first}
	for i := range f.out {
		index, weight := f.at(i)
		t.index = append(t.index, index[first:last+1]...)
		t.weight = append(t.weight, weight[first:last+1]...)
	}
	return t
}

// mirror maps index j outside 0..n-1 back inside; the edge value is repeated.
func mirror(j, n int) int {
	j %= 2 * n
	if j < 0 {
		j += 2 * n
	}
	if j >= n {
		j = 2*n - 1 - j
	}
	return j
}

// cubic is the kernel of Keys, IEEE Trans. ASSP 29(6), 1981, with a = -0.5.
func cubic(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x <= 1:
		return (1.5*x-2.5)*x*x + 1
	case x <= 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}
