// Package kernel holds the SIMD micro-kernels: sparse-by-construction
// convolution forward, its gradients, and the few elementwise loops of
// training.
//
// The one forward kernel computes B output channels x P vectors of pixels in
// registers, looping over a list of (input offset, B weights): dense is the
// full list, and the input gradient is the same kernel over a transposed list.
// The weight gradient is a reduction over the same lists.
//
// Every instruction set is a Set with the same functions, made from one table
// of Variants; plain loops in Go (scalar.go) are what all are tested against. A
// convolution's sums run in the order of the list for every pixel, so tile
// shapes, row ranges and threads never change a result. A weight gradient sums
// each lane of the vectors over the picture, then the lanes, whatever the tile.
// So Sets differ by the last bits, through fused multiply-adds and numbers of
// lanes; one Set gives the same bits every time.
//
// The assembly is written by _gen, a module of its own.
package kernel

// Epilogue is what is fused into the store of a convolution:
//
//	out = gate(clip(slope(relu(sum + bias + Residual))))
//
// A value that is no number passes through all but the gate.
type Epilogue struct {
	Residual *Tensor   // added; nil adds nothing; as many channels and pixels as dst, or dst itself
	ReLU     bool      // negative values become 0
	Slope    []float32 // negative values are multiplied by it (PReLU); one for each channel of dst, nil: none
	Clip     *Range    // values beyond it become its ends; nil: none
	Gate     *Tensor   // result becomes 0 unless Gate > 0 (ReLU's gradient); nil passes all
}

// Range is the values from Low to High, both included.
type Range struct{ Low, High float32 }

// Set is the kernels of one instruction set. Its functions may be called from
// many goroutines at a time as long as they write to different memory.
type Set struct {
	Name string // "avx512", "avx2", "neon", "go"

	// Conv computes rows [y0, y1) of all the blocks' output channels of dst from
	// src, whose strides the offsets were made for. Only pixels inside dst's
	// width are written. dst must not overlap src. It keeps no argument, but as
	// calls through a field are opaque to the compiler, an Epilogue should lie in
	// memory that the caller has anyway.
	Conv func(dst, src *Tensor, blocks []Block, e *Epilogue, y0, y1 int)

	// Chain computes rows [y0, y1) of dst by two convolutions of 1x1, one after the
	// other: first from src to mid, second from mid to dst, as two calls of Conv
	// would, to the bit. mid is one strip of a row: its contents are lost, and
	// second's offsets are for its strides. What passes from one to the other then
	// stays in the first-level cache, for ChainStrip's width. e1 has no Residual and
	// no Gate. Nil: there is no faster way than two calls.
	Chain func(dst, mid, src *Tensor, first, second []Block, e1, e2 *Epilogue, y0, y1 int)

	// Winograd is Winograd.Conv: a Set whose functions are wrapped has this one
	// among them.
	Winograd func(g *Winograd, dst, src *Tensor, e *Epilogue, y0, y1, lead int, scratch []float32)

	// WeightGrad adds to grad (one slice for each block, len(W) long) the sum
	// over all pixels of dy[Out+j] times src at the tap's offset, and to bias
	// (one value for each channel of dy) the sum of dy. dy's border and padding
	// must be zero, src's padding finite.
	WeightGrad func(grad [][]float32, bias []float32, dy, src *Tensor, blocks []Block)

	// WinogradGrad is WeightGrad of a dense 3x3 layer by Winograd: it adds to grad,
	// (3x3, input channel, output channel). src is read as Winograd.Conv does, and
	// scratch is memory of WinogradGradScratch for this call alone.
	WinogradGrad func(grad, bias []float32, dy, src *Tensor, scratch []float32)

	// Axpy adds a*x to dst.
	Axpy func(dst []float32, a float32, x []float32)

	// Blend moves dst towards x: dst += a*(x-dst).
	Blend func(dst []float32, a float32, x []float32)

	// SumSquares is the sum of x*x; Inf where a square leaves float32.
	SumSquares func(x []float32) float64

	// Gate writes a+b (a alone where b is nil) into dst, and 0 where not
	// gate > 0 (everywhere passes where gate is nil). dst may be a or b.
	Gate func(dst, a, b, gate []float32)

	// PReLUGrad takes the gradient dst of PReLU's output out, whose slope is above
	// 0, to that of its input: dst *= slope where not out > 0. It returns the sum of
	// dst*min(out, 0) over dst as it was, slope times the slope's gradient.
	PReLUGrad func(dst, out []float32, slope float32) float64

	// Adam makes one step of Kingma & Ba (arXiv:1412.6980) with the moments m
	// and v and the gradient g: rate is the step already corrected for bias.
	//	m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g*g; w -= rate * m / (sqrt(v) + eps)
	Adam func(w, m, v, g []float32, rate, b1, b2, eps float32)

	// AbsGrad writes sign(a-b)*s into dst and returns the sum of s*|a-b|: the L1
	// loss and its gradient. NaN gives NaN in both.
	AbsGrad func(dst, a, b []float32, s float32) float64

	// Tanh and Sigmoid write the hyperbolic tangent and the logistic function of x
	// into dst, which may be x: at most 5e-7 from the exact value, and the Tanh of
	// small values at most 5e-7 relative.
	Tanh, Sigmoid func(dst, x []float32)

	// Mul, Sub and Max write a*b, a-b and the larger of a and b into dst, which may
	// be a or b. Max of what is no number is one of the two.
	Mul, Sub, Max func(dst, a, b []float32)

	// Shuffle interleaves n rows of w floats: dst[x*n+i] = src[i][x], n = 2 to 4.
	Shuffle func(dst []float32, src [4][]float32, n int)
	// Stream is Shuffle past the caches where the processor can, for rows that
	// nobody reads soon; fast where dst starts on a cache line.
	Stream func(dst []float32, src [4][]float32, n int)
	// Unshuffle is Shuffle's inverse: dst[i][x] = src[x*n+i].
	Unshuffle func(dst [4][]float32, src []float32, n int)

	winograd *winogradSet // nil: none

	peak func(rounds int) (flops float64)
}
