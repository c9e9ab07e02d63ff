package network

import "math"

// shapes are the shared 3x3 shapes of the Pattern scheme, as bit sets over
// (row*3+column): the centre with three neighbours, the 2x2 corners and the
// T shapes, which PCONV (Ma et al., AAAI 2020, arXiv:1909.05073) found to be
// what trained filters look like.
var shapes = [8]uint16{
	1<<4 | 1<<0 | 1<<1 | 1<<3, 1<<4 | 1<<1 | 1<<2 | 1<<5,
	1<<4 | 1<<3 | 1<<6 | 1<<7, 1<<4 | 1<<5 | 1<<7 | 1<<8,
	1<<4 | 1<<1 | 1<<3 | 1<<5, 1<<4 | 1<<7 | 1<<3 | 1<<5,
	1<<4 | 1<<1 | 1<<7 | 1<<3, 1<<4 | 1<<1 | 1<<7 | 1<<5,
}

const patternWeights = 4

// Masker computes pruning masks. It keeps scratch memory between calls and
// serves one goroutine at a time; the zero value is ready.
type Masker struct {
	norm  []float32 // squared L2 norm of every group
	order []int32
	kinds []int8 // pattern of a group, -1 for none
}

// Mask writes the mask of a convolution (weights w as (out, in, k, k)) pruned
// by p into dst, which has the length of w: groups of the smallest L2 norm go
// first, ties by position. It returns the number of kept weights. At least one
// group always stays.
//
// A Pattern layer below 5/9 pruned keeps whole filters where they are
// strongest; above, whole filters go where they are weakest.
func (m *Masker) Mask(dst []uint8, w []float32, out, in, k int, p Prune) int {
	if len(dst) != len(w) || len(w) != out*in*k*k {
		panic("network: Mask: lengths differ")
	}
	return schemes[p.Scheme].prune(m, dst, w, out, in, k, 1-float64(p.Percent)/100)
}

func (m *Masker) dense(dst []uint8, _ []float32, _, _, _ int, _ float64) int {
	for i := range dst {
		dst[i] = 1
	}
	return len(dst)
}

// filters prunes whole output channels, in fours.
func (m *Masker) filters(dst []uint8, w []float32, out, in, k int, keep float64) int {
	return m.rows(dst, w, out, in*k*k, min(out, Round4(keep*float64(out))))
}

// blocks prunes b output channels at one input position together.
func blocks(b int) func(m *Masker, dst []uint8, w []float32, out, in, k int, keep float64) int {
	return func(m *Masker, dst []uint8, w []float32, out, in, k int, keep float64) int {
		return m.groups(dst, w, out, b, in*k*k, keep)
	}
}

// rows prunes whole output channels, keeping the given number.
func (m *Masker) rows(dst []uint8, w []float32, out, cols, keep int) int {
	m.grow(out)
	for r := range out {
		var s float32
		for _, x := range w[r*cols : (r+1)*cols] {
			s += x * x
		}
		m.norm[r] = s
	}
	m.best(keep)
	clear(dst)
	for _, r := range m.order[:keep] {
		for c := range cols {
			dst[int(r)*cols+c] = 1
		}
	}
	return keep * cols
}

// Round4 rounds to the nearest multiple of 4, at least 4: the micro-kernels work
// on four output channels at a time.
func Round4(x float64) int { return max(4, int(x/4+0.5)*4) }

// groups prunes b output channels at one input position together; part of the
// groups stays.
func (m *Masker) groups(dst []uint8, w []float32, out, b, cols int, part float64) int {
	n := (out + b - 1) / b * cols
	m.grow(n)
	clear(m.norm)
	for r := range out {
		norm := m.norm[r/b*cols : (r/b+1)*cols]
		for c, x := range w[r*cols : (r+1)*cols] {
			norm[c] += x * x
		}
	}
	keep := max(1, int(math.Round(part*float64(n))))
	m.best(keep)
	clear(dst)
	kept := 0
	for _, g := range m.order[:keep] {
		block, c := int(g)/cols, int(g)%cols
		for r := block * b; r < min((block+1)*b, out); r++ {
			dst[r*cols+c] = 1
			kept++
		}
	}
	return kept
}

// patterns prunes 3x3 filters in groups of 4 output channels x 1 input channel.
func (m *Masker) patterns(dst []uint8, w []float32, out, in, _ int, part float64) int {
	blocks := (out + 3) / 4
	n := blocks * in
	m.grow(n)
	for g := range n {
		block, ci := g/in, g%in
		var at [9]float32 // squared norm by position
		var all float32
		for r := block * 4; r < min(block*4+4, out); r++ {
			for t, x := range w[(r*in+ci)*9 : (r*in+ci)*9+9] {
				at[t] += x * x
				all += x * x
			}
		}
		best, kind := float32(-1), 0
		for i, shape := range shapes {
			var s float32
			for t := range at {
				if shape>>t&1 == 1 {
					s += at[t]
				}
			}
			if s > best {
				best, kind = s, i
			}
		}
		m.kinds[g] = int8(kind)
		m.norm[g] = best
		if part > patternWeights/9.0 {
			m.norm[g] = all - best // what the pattern would lose
		}
	}
	// Above 4/9 the strongest groups stay whole and the others are patterned;
	// below, the strongest are patterned and the others go.
	strong, weak := patternWeights/9.0, 0.0
	if part > strong {
		strong, weak = 1, strong
	}
	keep := int(math.Round(float64(n) * (part - weak) / (strong - weak)))
	if weak == 0 {
		keep = max(1, keep)
	}
	keep = min(keep, n)
	m.best(keep)
	clear(dst)
	for i, g := range m.order {
		shape := shapes[m.kinds[g]]
		switch {
		case i < keep && strong == 1:
			shape = 1<<9 - 1
		case i >= keep && weak == 0:
			continue
		}
		block, ci := int(g)/in, int(g)%in
		for r := block * 4; r < min(block*4+4, out); r++ {
			for t := range 9 {
				dst[(r*in+ci)*9+t] = uint8(shape >> t & 1)
			}
		}
	}
	return count(dst)
}

// Reserve makes room for masks of convolutions of up to n weights, so that Mask
// does not allocate.
func (m *Masker) Reserve(n int) {
	if cap(m.norm) < n {
		m.norm, m.order, m.kinds = make([]float32, n), make([]int32, n), make([]int8, n)
	}
}

func (m *Masker) grow(n int) {
	m.Reserve(n)
	m.norm, m.order, m.kinds = m.norm[:n], m.order[:n], m.kinds[:n]
	for i := range m.order {
		m.order[i] = int32(i)
	}
}

// less orders groups by falling norm, ties by position. A NaN norm counts as
// the smallest, so that a broken layer still gets a legal mask.
func (m *Masker) less(a, b int32) bool {
	x, y := m.norm[a], m.norm[b]
	if x != x {
		x = -1
	}
	if y != y {
		y = -1
	}
	return x > y || x == y && a < b
}

// best moves the keep first groups by less to the front of order (Hoare's
// selection: linear where a sort would be n log n).
func (m *Masker) best(keep int) {
	lo, hi := 0, len(m.order)-1
	for lo < hi {
		// Median of three guards against sorted input.
		o := m.order
		mid := lo + (hi-lo)/2
		if m.less(o[mid], o[lo]) {
			o[mid], o[lo] = o[lo], o[mid]
		}
		if m.less(o[hi], o[lo]) {
			o[hi], o[lo] = o[lo], o[hi]
		}
		if m.less(o[hi], o[mid]) {
			o[hi], o[mid] = o[mid], o[hi]
		}
		pivot := o[mid]
		i, j := lo, hi
		for i <= j {
			for m.less(o[i], pivot) {
				i++
			}
			for m.less(pivot, o[j]) {
				j--
			}
			if i <= j {
				o[i], o[j] = o[j], o[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case keep <= j:
			hi = j
		case keep > i:
			lo = i
		default:
			return
		}
	}
}

func count(mask []uint8) int {
	n := 0
	for _, v := range mask {
		n += int(v)
	}
	return n
}
