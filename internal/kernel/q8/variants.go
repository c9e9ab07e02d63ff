package q8

// Op is an operation that has variants.
type Op string

// The operations with variants beside the scalar one.
const (
	OpConv       Op = "conv"        // a quad of output channels x P vectors of pixels
	OpPack       Op = "pack"        // float32 to bytes
	OpPackStream Op = "pack-stream" // float32 to a stream and its bytes
	OpNarrow     Op = "narrow"      // a stream to its bytes
	OpProbe      Op = "probe"       // measures the processor; P independent sums
)

// Variant is one assembly kernel. Its name is its data sheet: operation, type,
// tile, instruction set.
type Variant struct {
	Name      string
	Op        Op
	ISA       string // the name of the Set it belongs to
	P         int    // vectors of the tile, 0 where the operation has none
	Lanes     int    // pixels in a vector
	MaxWeight int    // largest weight by amount that it multiplies without saturation
	Needs     string // processor features
	Runs      bool   // this processor has them
	ID        int    // its number among the kernels with the same arguments
}
