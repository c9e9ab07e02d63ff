package imaging

import (
	"math"
	"math/bits"
)

// fft2 transforms square complex data in place.
type fft2 struct {
	bits   int
	data   []complex64 // side x side
	root   []complex64 // exp(2 pi i k / side)
	column []complex64
}

func newFFT2(bits int) *fft2 {
	side := 1 << bits
	f := &fft2{bits: bits, data: make([]complex64, side*side), root: make([]complex64, side/2), column: make([]complex64, side*columnBlock)}
	for k := range f.root {
		s, c := math.Sincos(2 * math.Pi * float64(k) / float64(side))
		f.root[k] = complex(float32(c), float32(s))
	}
	return f
}

// columnBlock columns are transformed together: one cache line's worth.
const columnBlock = 8

// transform computes the sums over exp(+2 pi i (ux + vy) / side), not scaled.
func (f *fft2) transform() {
	side := 1 << f.bits
	for y := range side {
		f.line(f.data[y*side:(y+1)*side], 1)
	}
	for x := 0; x < side; x += columnBlock {
		for y := range side {
			copy(f.column[y*columnBlock:(y+1)*columnBlock], f.data[y*side+x:])
		}
		f.line(f.column, columnBlock)
		for y := range side {
			copy(f.data[y*side+x:][:columnBlock], f.column[y*columnBlock:])
		}
	}
}

// line transforms `width` interleaved sequences with radix 2, decimating in time.
func (f *fft2) line(s []complex64, width int) {
	side := 1 << f.bits
	for i := range side {
		if j := int(bits.Reverse32(uint32(i)) >> (32 - f.bits)); i < j {
			for k := range width {
				s[i*width+k], s[j*width+k] = s[j*width+k], s[i*width+k]
			}
		}
	}
	for half := 1; half < side; half *= 2 {
		stride := side / (2 * half)
		for start := 0; start < side; start += 2 * half {
			for k := range half {
				root := f.root[k*stride]
				rr, ri := real(root), imag(root)
				low := s[(start+k)*width:][:width]
				high := s[(start+k+half)*width:][:width]
				for i, c := range high { // by parts: the language's product also minds infinities
					t := complex(real(c)*rr-imag(c)*ri, real(c)*ri+imag(c)*rr)
					high[i] = low[i] - t
					low[i] += t
				}
			}
		}
	}
}
