//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"math"
	"unsafe"
)

// elements drives the loops over slices of one instruction set. The kernels
// know whole vectors only; a tail goes through them in padded copies.
type elements struct {
	lanes                      int
	axpyID, blendID, squaresID int
	adamID, absGradID, tanhID  int
	preluGradID                int
	gateID                     [2][2]int // adds, gates
	pairID                     [4]int    // by OpPair's numbers
	shuffleID, unshuffleID     [5]int    // by rows, -1: none
	streamID                   [5]int    // likewise
	// Lane numbers that the permutations of so many rows take, nil: none.
	shuffleIndex, unshuffleIndex [5][]int32
}

func newElements(variants []Variant) *elements {
	e := &elements{unshuffleID: [5]int{-1, -1, -1, -1, -1}, streamID: [5]int{-1, -1, -1, -1, -1}}
	for _, v := range variants {
		switch v.Op {
		case OpAxpy:
			e.axpyID, e.lanes = v.ID, v.Lanes
		case OpBlend:
			e.blendID = v.ID
		case OpSquares:
			e.squaresID = v.ID
		case OpAdam:
			e.adamID = v.ID
		case OpAbsGrad:
			e.absGradID = v.ID
		case OpGate:
			e.gateID[v.B][v.P] = v.ID
		case OpPReLUGrad:
			e.preluGradID = v.ID
		case OpPair:
			e.pairID[v.B] = v.ID
		case OpTanh:
			e.tanhID = v.ID
		case OpShuffle:
			e.shuffleID[v.B] = v.ID
		case OpStream:
			e.streamID[v.B] = v.ID
		case OpUnshuffle:
			e.unshuffleID[v.B] = v.ID
		}
	}
	e.makeIndices()
	return e
}

// makeIndices writes the lane numbers of the permutations. Two-table ones count
// the first table's lanes from 0, the second's from lanes.
func (e *elements) makeIndices() {
	n := e.lanes
	if n == 4 {
		return // NEON's loads and stores weave
	}
	weave, unweave := make([]int32, 2*n), make([]int32, 2*n)
	for p := range weave {
		weave[p], unweave[p] = int32(p%2*n+p/2), int32(p%n*2+p/n)
	}
	for _, rows := range []int{2, 4} {
		e.shuffleIndex[rows], e.unshuffleIndex[rows] = weave, unweave
	}
	if n == 8 { // one permutation for each output vector, of all rows; a blend picks
		for p := range 3 * n {
			e.shuffleIndex[3] = append(e.shuffleIndex[3], int32(p/3))
		}
		return
	}
	first, second := make([]int32, 3*n), make([]int32, 3*n)
	for p := range first {
		first[p] = int32(p%3%2*n + p/3)
		second[p] = int32(p % n)
		if p%3 == 2 {
			second[p] = int32(n + p/3)
		}
	}
	e.shuffleIndex[3] = append(first, second...)
	first, second = make([]int32, 3*n), make([]int32, 3*n)
	for p := range first {
		from := 3*(p%n) + p/n // of the three woven vectors
		first[p], second[p] = int32(from%(2*n)), int32(p%n)
		if from >= 2*n {
			second[p] = int32(from - n)
		}
	}
	e.unshuffleIndex[3] = append(first, second...)
}

// sumFloats is how many values a kernel adds up in float32 lanes before the sum
// goes on in float64.
const sumFloats = 4096

// each runs a kernel over slices of n floats: p are dst, a, b, c or nil. It
// returns the sum of the kernel's sums.
func (e *elements) each(id, n int, args elementArgs, p [4][]float32) (sum float64) {
	whole := n - n%e.lanes
	for at := 0; at < whole; at += sumFloats {
		end := min(at+sumFloats, whole)
		args.n, args.sum = (end-at)/e.lanes, 0
		args.dst, args.a, args.b, args.c = from(p[0], at, end), from(p[1], at, end), from(p[2], at, end), from(p[3], at, end)
		runElement(id, &args)
		sum += float64(args.sum)
	}
	if whole == n {
		return sum
	}
	var tail [4][Lanes]float32
	for i, s := range p {
		if s != nil {
			copy(tail[i][:], s[whole:n])
		}
	}
	args.n, args.sum = 1, 0
	args.dst, args.a = unsafe.Pointer(&tail[0]), unsafe.Pointer(&tail[1])
	args.b, args.c = unsafe.Pointer(&tail[2]), unsafe.Pointer(&tail[3])
	runElement(id, &args)
	for i, s := range p {
		if s != nil && (i == 0 || id == e.adamID && i < 3) { // what kernels write
			copy(s[whole:n], tail[i][:])
		}
	}
	return sum + float64(args.sum)
}

// from is the address of s[at:end], nil for nil.
func from(s []float32, at, end int) unsafe.Pointer {
	if s == nil {
		return nil
	}
	return unsafe.Pointer(unsafe.SliceData(s[at:end]))
}

func (e *elements) axpy(dst []float32, a float32, x []float32) {
	e.each(e.axpyID, len(dst), elementArgs{s0: [2]float32{a}}, [4][]float32{dst, x[:len(dst)]})
}

func (e *elements) blend(dst []float32, a float32, x []float32) {
	e.each(e.blendID, len(dst), elementArgs{s0: [2]float32{a}}, [4][]float32{dst, x[:len(dst)]})
}

func (e *elements) sumSquares(x []float32) float64 {
	return e.each(e.squaresID, len(x), elementArgs{}, [4][]float32{nil, x})
}

func (e *elements) gate(dst, a, b, gate []float32) {
	n, adds, gates := len(dst), 0, 0
	if b != nil {
		b, adds = b[:n], 1
	}
	if gate != nil {
		gate, gates = gate[:n], 1
	}
	if adds+gates == 0 {
		copy(dst, a[:n])
		return
	}
	e.each(e.gateID[adds][gates], n, elementArgs{}, [4][]float32{dst, a[:n], b, gate})
}

func (e *elements) preluGrad(dst, out []float32, slope float32) float64 {
	return e.each(e.preluGradID, len(dst), elementArgs{s0: [2]float32{slope}}, [4][]float32{dst, out[:len(dst)]})
}

// pair is the operation of two slices with that number.
func (e *elements) pair(kind int) func(dst, a, b []float32) {
	id := e.pairID[kind]
	return func(dst, a, b []float32) {
		n := len(dst)
		e.each(id, n, elementArgs{}, [4][]float32{dst, a[:n], b[:n]})
	}
}

func (e *elements) adam(w, m, v, g []float32, rate, b1, b2, eps float32) {
	n := len(w)
	e.each(e.adamID, n, elementArgs{
		s0: [2]float32{b1}, s1: [2]float32{1 - b1}, s2: [2]float32{b2}, s3: [2]float32{1 - b2},
		s4: [2]float32{rate}, s5: [2]float32{eps},
	}, [4][]float32{w, m[:n], v[:n], g[:n]})
}

func (e *elements) absGrad(dst, a, b []float32, s float32) float64 {
	const sign = 1 << 31
	n := len(dst)
	sum := e.each(e.absGradID, n, elementArgs{
		s0: [2]float32{s}, s1: [2]float32{math.Float32frombits(sign)}, s2: [2]float32{math.Float32frombits(sign - 1)},
	}, [4][]float32{dst, a[:n], b[:n]})
	return sum * float64(s)
}

// tanhEnd is where tanh is 1 to half a unit of its last place; tanhSeries are
// the coefficients of x*x in numerator and denominator of tanh(x)/x, highest
// first: a minimax fit on [0, tanhEnd], 2.1e-8 relative before rounding.
const tanhEnd = 9

var tanhSeries = [...]float32{
	1.3354319340863673e-08, 2.060880800350103e-05, 0.003495570164256638, 0.13381010028709572, 0.9999999793091486,
	7.776410326332809e-07, 0.00032856063772528223, 0.025876912399773834, 0.46714325582584904, 1,
}

// bent writes out*tanh(in*x)+shift.
func (e *elements) bent(dst, x []float32, in, out, shift float32) {
	n := len(dst)
	x = x[:n]
	a := elementArgs{
		s0: [2]float32{in}, s1: [2]float32{out}, s2: [2]float32{shift}, s3: [2]float32{tanhEnd}, s4: [2]float32{-tanhEnd},
		d: unsafe.Pointer(&tanhSeries), n: n / e.lanes,
	}
	whole := a.n * e.lanes
	if a.n > 0 { // rows are short: straight to the kernel
		a.dst, a.a = from(dst, 0, n), from(x, 0, n)
		runElement(e.tanhID, &a)
	}
	if whole < n {
		e.each(e.tanhID, n-whole, a, [4][]float32{dst[whole:], x[whole:]})
	}
}

func (e *elements) tanh(dst, x []float32) { e.bent(dst, x, 1, 1, 0) }

func (e *elements) sigmoid(dst, x []float32) { e.bent(dst, x, 0.5, 0.5, 0.5) }

func (e *elements) shuffle(dst []float32, src [4][]float32, n int) {
	e.weave(e.shuffleID[n], dst, src, n)
}

func (e *elements) stream(dst []float32, src [4][]float32, n int) {
	id := e.streamID[n]
	if id < 0 || uintptr(unsafe.Pointer(unsafe.SliceData(dst)))%uintptr(4*e.lanes) != 0 {
		id = e.shuffleID[n]
	}
	e.weave(id, dst, src, n)
}

// weave is a shuffle by the kernel of that number.
func (e *elements) weave(id int, dst []float32, src [4][]float32, n int) {
	w := len(src[0])
	whole := w - w%e.lanes
	if whole > 0 {
		a := e.woven(dst, &src, n, whole)
		a.index = unsafe.Pointer(unsafe.SliceData(e.shuffleIndex[n]))
		runElement(id, &a)
	}
	for i := range n {
		src[i] = src[i][whole:w]
	}
	shuffleScalar(dst[whole*n:w*n], src, n)
}

func (e *elements) unshuffle(dst [4][]float32, src []float32, n int) {
	w := len(dst[0])
	whole := w - w%e.lanes
	if e.unshuffleID[n] < 0 {
		whole = 0
	}
	if whole > 0 {
		a := e.woven(src, &dst, n, whole)
		a.index = unsafe.Pointer(unsafe.SliceData(e.unshuffleIndex[n]))
		runElement(e.unshuffleID[n], &a)
	}
	for i := range n {
		dst[i] = dst[i][whole:w]
	}
	unshuffleScalar(dst, src[whole*n:w*n], n)
}

// woven are the arguments of a shuffle of n rows' first floats.
func (e *elements) woven(row []float32, rows *[4][]float32, n, floats int) elementArgs {
	a := elementArgs{n: floats / e.lanes, dst: from(row, 0, n*floats)}
	for i, p := range []*unsafe.Pointer{&a.a, &a.b, &a.c, &a.d}[:n] {
		*p = from(rows[i], 0, floats)
	}
	return a
}
