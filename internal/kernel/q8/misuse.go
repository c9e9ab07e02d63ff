package q8

import (
	"fmt"
	"math"

	"evosr/internal/kernel"
)

// checkConv panics where Conv in vectors of that many pixels would read or write
// outside its tensors, or could not say the same as others.
func checkConv(o *Output, src *Bytes, l *Layer, y0, y1, lanes, most int) {
	if l.most > most {
		panic(fmt.Sprintf("q8: Conv: weight of %d, want at most %d", l.most, most))
	}
	if src.C != l.In {
		panic(fmt.Sprintf("q8: Conv: source of %d channels, want %d", src.C, l.In))
	}
	if y0 < 0 || y1 > src.H {
		panic(fmt.Sprintf("q8: Conv: rows [%d, %d) of %d", y0, y1, src.H))
	}
	if src.Row != l.row || src.Plane != l.plane {
		panic(fmt.Sprintf("q8: Conv: source with strides %d and %d, want %d and %d", src.Row, src.Plane, l.row, l.plane))
	}
	width := roundUp(src.W, lanes)
	o.mustSuit("Conv", l.Out, src.H, src.W, width)
	from, to := src.Origin+y0*src.Row, src.Origin+(y1-1)*src.Row+width
	if from+int(l.lo) < 0 || 4*(to+int(l.hi)) > len(src.Data) {
		panic(fmt.Sprintf("q8: Conv: offsets %d to %d leave the source", l.lo, l.hi))
	}
}

// checkPack panics where Pack would.
func checkPack(o *Output, src *kernel.Tensor, scale float32, y0, y1 int) {
	if math.IsNaN(float64(scale)) || math.IsInf(float64(scale), 0) {
		panic(fmt.Sprintf("q8: Pack: scale %v", scale))
	}
	if o.Rows != nil || o.Residual != nil {
		panic("q8: Pack: to rows, or with a residual")
	}
	if y0 < 0 || y1 > src.H {
		panic(fmt.Sprintf("q8: Pack: rows [%d, %d) of %d", y0, y1, src.H))
	}
	mustHoldRows("Pack", "src", src, src.C, src.H, src.W, src.W)
	o.mustSuit("Pack", src.C, src.H, src.W, src.W)
}

// checkNarrow panics where Narrow would.
func checkNarrow(o *Output, y0, y1 int) {
	if o.Stream == nil || o.Bytes == nil || o.Rows != nil {
		panic("q8: Narrow: want a stream and bytes")
	}
	if y0 < 0 || y1 > o.Stream.H {
		panic(fmt.Sprintf("q8: Narrow: rows [%d, %d) of %d", y0, y1, o.Stream.H))
	}
	o.mustSuit("Narrow", o.Stream.C, o.Stream.H, o.Stream.W, o.Stream.W)
}

// mustSuit panics unless there is one destination that (c, h, w) values fit, of
// rows of whole vectors.
func (o *Output) mustSuit(op string, c, h, w, width int) {
	switch {
	case o.Rows != nil:
		if o.Bytes != nil || o.Stream != nil || o.Residual != nil {
			panic(fmt.Sprintf("q8: %s: rows beside a stream or bytes", op))
		}
		mustHoldRows(op, "rows", o.Rows, c, h, w, width)
		if o.Skip != nil {
			mustHoldRows(op, "skip", o.Skip, c, h, w, width)
		}
		return
	case o.Skip != nil:
		panic(fmt.Sprintf("q8: %s: skip without rows", op))
	case o.Stream != nil:
		mustHold(op, "stream", o.Stream, c, h, w, width)
		if o.Residual != nil {
			mustHold(op, "residual", o.Residual, c, h, w, width)
		}
		if o.Bytes == nil {
			return
		}
		if o.Factor < 0 {
			panic(fmt.Sprintf("q8: %s: factor %d, want at least 0", op, o.Factor))
		}
	case o.Bytes == nil || o.Residual != nil:
		panic(fmt.Sprintf("q8: %s: nowhere to write, or a residual without a stream", op))
	}
	mustHold(op, "bytes", o.Bytes, c, h, w, width)
	if o.High <= o.Low {
		panic(fmt.Sprintf("q8: %s: bytes from %d to %d", op, o.Low, o.High))
	}
}

// mustHold panics unless t is (c, h, w) and whole vectors of its rows lie inside
// its data.
func mustHold[T uint8 | int16](op, what string, t *Quads[T], c, h, w, width int) {
	end := t.Origin + (quads(c)-1)*t.Plane + (h-1)*t.Row + width
	if t.C != c || t.H != h || t.W != w || t.Origin < 0 || 4*end > len(t.Data) {
		panic(fmt.Sprintf("q8: %s: %s: (%d, %d, %d) of %d values, want (%d, %d, %d)", op, what, t.C, t.H, t.W, len(t.Data), c, h, w))
	}
}

// mustHoldRows is mustHold of rows of float32.
func mustHoldRows(op, what string, t *kernel.Tensor, c, h, w, width int) {
	end := t.Origin + (c-1)*t.Plane + (h-1)*t.Row + width
	if t.C != c || t.H != h || t.W != w || t.Origin < 0 || end > len(t.Data) {
		panic(fmt.Sprintf("q8: %s: %s: (%d, %d, %d) of %d floats, want (%d, %d, %d)", op, what, t.C, t.H, t.W, len(t.Data), c, h, w))
	}
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }
