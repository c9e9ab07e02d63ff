package kernel

// Op is an operation that has variants.
type Op string

// The operations with variants beside the scalar one.
const (
	OpConv             Op = "conv"         // B output channels x P vectors of pixels
	OpConvGrouped      Op = "conv-grouped" // B output channels x P vectors, taps by subset of the channels
	OpWeightGrad       Op = "weightgrad"   // B output channels x P taps
	OpAxpy             Op = "axpy"
	OpBlend            Op = "blend"
	OpSquares          Op = "squares"
	OpAdam             Op = "adam"
	OpAbsGrad          Op = "absgrad"
	OpGate             Op = "gate" // B is 1 if it adds, P is 1 if it gates
	OpPReLUGrad        Op = "prelugrad"
	OpWinogradFilter   Op = "winograd-filter"
	OpWinogradUnfilter Op = "winograd-unfilter"
	OpWinogradTurn     Op = "winograd-turn"
	OpWinogradGrad     Op = "winograd-grad" // B input channels x P vectors of output channels
	OpWinogradDy       Op = "winograd-dy"
	OpWinogradIn       Op = "winograd-in"
	OpWinogradMul      Op = "winograd-mul" // B output channels x P vectors of tiles
	OpWinogradOut      Op = "winograd-out" // P vectors lie between the products of neighbouring points
	OpTanh             Op = "tanh"
	OpPair             Op = "pair"      // B is 1 to multiply, 2 to subtract, 3 for the larger
	OpShuffle          Op = "shuffle"   // B rows
	OpStream           Op = "stream"    // B rows
	OpUnshuffle        Op = "unshuffle" // B rows
	OpProbe            Op = "probe"     // measures the processor
)

// Variant is one assembly kernel. Its name is its data sheet: operation, type,
// tile, instruction set.
type Variant struct {
	Name  string
	Op    Op
	ISA   string // the name of the Set it belongs to
	B, P  int    // tile, 0 where the operation has none
	Bias  bool   // a weight gradient that sums the bias' gradient as well
	Lanes int    // float32 values in a vector
	Needs string // processor features
	Runs  bool   // this processor has them
	ID    int    // its number among the kernels with the same arguments
}
