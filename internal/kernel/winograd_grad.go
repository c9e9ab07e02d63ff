package kernel

import "fmt"

// The weight gradient by Winograd: of a tile, the gradient of a transformed
// weight is the product of the transformed source and of the output's gradient
// by the transposed transform back. So it is the sum of one product for each
// point over all tiles, 36 for 16 pixels where the direct one has 144, and
// Filter's transform transposed brings the sum back.

// gradTilesMost is how many tiles' transformed values are in memory at a time
// where a row has no more, few enough for the cache, and gradLanesMost how many
// lanes of the source's they take at most.
const gradTilesMost, gradLanesMost = 64, 128

// WinogradGradScratch is the floats that WinogradGrad needs for a layer.
func (s *Set) WinogradGradScratch(out, in int) int {
	if s.winograd == nil {
		return gradScratch(1, out, in)
	}
	return gradScratch(s.winograd.lanes, out, in)
}

func gradScratch(lanes, out, in int) int {
	const tiles = max(gradTilesMost, stripVectors*Lanes)
	source, products := tilePoints*gradLanesMost*(in+1), tilePoints*(tiles+1)*stripVectors*lanes
	turned := (stripVectors*Lanes + 1) * TileRows * TileRows * lanes
	return tilePoints*out*in + source + products + turned + middleFloats
}

// checkWinogradGrad panics where WinogradGrad would leave its memory.
func checkWinogradGrad(lanes int, grad, bias []float32, dy, src *Tensor, scratch []float32) {
	if size := gradScratch(lanes, dy.C, src.C); dy.H != src.H || dy.W != src.W || len(grad) != 9*dy.C*src.C || len(bias) < dy.C || len(scratch) < size {
		panic(fmt.Sprintf("kernel: WinogradGrad: (%d, %d, %d) from (%d, %d, %d), %d gradients, %d biases, %d of scratch, want %d",
			dy.C, dy.H, dy.W, src.C, src.H, src.W, len(grad), len(bias), len(scratch), size))
	}
	dy.mustHold("WinogradGrad", "dy", roundUp(dy.W, lanes))
	src.mustHold("WinogradGrad", "src", src.W)
	first, last := src.Origin-src.Row-Lanes, src.Origin+(src.C-1)*src.Plane+src.H*src.Row+src.W
	if first < 0 || last > len(src.Data) {
		panic(fmt.Sprintf("kernel: WinogradGrad: floats [%d, %d) of a source of %d", first, last, len(src.Data)))
	}
}

// winogradGradScalar is the plain loops, tile by tile.
func winogradGradScalar(grad, bias []float32, dy, src *Tensor, scratch []float32) {
	checkWinogradGrad(1, grad, bias, dy, src, scratch)
	n := src.C * dy.C
	u, v := scratch[:tilePoints*n], scratch[tilePoints*n:][:tilePoints*src.C]
	clear(u)
	for ty := 0; ty < dy.H; ty += TileRows {
		for x := 0; x < dy.W; x += TileRows {
			for i := range src.C {
				var d [tilePoints]float32
				loadTile(&d, src, i, ty, x, 0, src.H)
				for p, value := range d {
					v[p*src.C+i] = value
				}
			}
			for o := range dy.C {
				var m [tilePoints]float32
				for y := ty; y < min(ty+TileRows, dy.H); y++ {
					copy(m[(y-ty)*tileIn:][:TileRows], dy.At(o, y)[x:])
				}
				for c := range TileRows {
					transformDy(m[c:], tileIn)
				}
				for r := range tileIn {
					transformDy(m[r*tileIn:], 1)
				}
				for p, value := range m {
					for i, s := range v[p*src.C:][:src.C] {
						u[p*n+i*dy.C+o] += value * s
					}
				}
			}
		}
	}
	unfilterFrom(grad, u, n, 0)
	for o := range dy.C {
		for y := range dy.H {
			for _, d := range dy.At(o, y) {
				bias[o] += d
			}
		}
	}
}

// transformDy makes six values of four, transformOut transposed.
func transformDy(m []float32, step int) {
	y0, y1, y2, y3 := m[0], m[step], m[2*step], m[3*step]
	even, odd := rootTwo*y0+rootHalf*y2, y1+0.5*y3
	m[step], m[2*step] = even+odd, even-odd
	even, odd = rootHalf*y0+rootTwo*y2, y1+2*y3
	m[3*step], m[4*step], m[5*step] = even+odd, even-odd, y3
}

// unfilterFrom adds the gradients of the filters from one on, whose transformed
// weights' are n apart in u, to nine planes of n floats.
func unfilterFrom(grad, u []float32, n, from int) {
	for at := from; at < n; at++ {
		var half [3 * tileIn]float32
		for c := range tileIn {
			half[c], half[tileIn+c], half[2*tileIn+c] = weightsOf(u[c*n+at:], tileIn*n)
		}
		for r := range 3 {
			w0, w1, w2 := weightsOf(half[r*tileIn:], 1)
			grad[3*r*n+at] += w0
			grad[(3*r+1)*n+at] += w1
			grad[(3*r+2)*n+at] += w2
		}
	}
}

// weightsOf makes three values of six, pointsOf transposed.
func weightsOf(u []float32, step int) (w0, w1, w2 float32) {
	near, far := u[step]+u[2*step], u[3*step]+u[4*step]
	odd := u[2*step] - u[step] + u[3*step] - u[4*step]
	return u[0] - filterLarge*near + filterSmall*far, odd * filterThird, u[5*step] - filterSmall*near + filterLarge*far
}
