package kernel

// chainBytes is how much of a first-level cache of 48 KiB a strip of what a layer
// hands over to the next may fill: its source and the lists need the rest.
const (
	chainBytes       = 32 << 10
	chainMost        = 6 * Lanes // floats of a row: what the widest kernels of four channels take
	chainLeast       = 3 * Lanes
	chainMostChannel = 40 << 10 / 4 / chainLeast
)

// ChainStrip is the width of the strips in which Set.Chain should compute layers
// that hand over that many channels, in floats; 0 where even a narrow one leaves
// the cache.
func ChainStrip(channels int) int {
	if channels > chainMostChannel {
		return 0
	}
	return min(max(chainBytes/4/channels/Lanes*Lanes, chainLeast), chainMost)
}

// ChainTensor is one strip of those channels, over new memory.
func ChainTensor(channels int) *Tensor {
	strip := ChainStrip(channels)
	return &Tensor{C: channels, H: 1, W: strip, Row: strip, Plane: strip, Data: Aligned(channels * strip)}
}
