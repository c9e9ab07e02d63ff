package supernet

// level holds what each filter of the head sums to, by input channel.
//
// A filter that sums to zero is blind to a constant: the trunk then carries
// differences of neighbours only, and the skip alone carries the picture's
// brightness, which has ten times their size. With it in the trunk, a small step
// of any layer moves every ReLU's input by as much as the details do that the
// layer is to tell apart, so that only strong edges pass; and the zeros around a
// patch look like an edge (docs/training.md). New heads sum to zero. Weights from
// elsewhere keep their sums, as training would otherwise begin with another
// network than the one that it was given.
type level struct {
	taps int       // weights of one filter for one input channel
	sums []float32 // of those, where hold is to bring them
	mask []uint8   // weights that may move; nil: all
}

func newLevel(t *tensor) *level { return &level{taps: t.k * t.k, sums: make([]float32, t.out*t.in)} }

// note keeps the sums of w.
func (l *level) note(w []float32) {
	for i := range l.sums {
		l.sums[i] = sum(w[i*l.taps:][:l.taps])
	}
}

// hold adds the same to all weights of a filter that may move, so that it sums to
// what was noted, 0 at first.
func (l *level) hold(w []float32) {
	for i, want := range l.sums {
		a := i * l.taps
		f := w[a:][:l.taps]
		free := l.taps
		if l.mask != nil {
			free = 0
			for _, m := range l.mask[a:][:l.taps] {
				free += int(m)
			}
		}
		off := (want - sum(f)) / float32(max(free, 1))
		for j := range f {
			if l.mask == nil || l.mask[a+j] != 0 {
				f[j] += off
			}
		}
	}
}

func sum(x []float32) float32 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return float32(s)
}
