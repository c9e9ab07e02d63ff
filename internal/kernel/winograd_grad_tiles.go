//go:build amd64 && !noasm

package kernel

import "unsafe"

// winogradGrad makes Set.WinogradGrad of an instruction set. Products run over all
// tiles in memory for a few weights at a time, by the kernels of the direct
// weight gradient.
func (t *winogradTiles) winogradGrad(g *gradTiles) func(grad, bias []float32, dy, src *Tensor, scratch []float32) {
	return func(grad, bias []float32, dy, src *Tensor, scratch []float32) {
		checkWinogradGrad(t.lanes, grad, bias, dy, src, scratch)
		n := src.C * dy.C
		middle, u := scratch[:middleFloats], scratch[middleFloats:][:tilePoints*n]
		scratch = scratch[middleFloats+len(u):]
		clear(u)
		tiles := (dy.W + TileRows - 1) / TileRows
		vectors := (tiles + t.lanes - 1) / t.lanes
		k := strips(vectors, stripVectors)
		for i := range k {
			v0, v1 := strip(vectors, stripVectors, i)
			b := gradBand{x: v0 * TileRows * t.lanes, vectors: v1 - v0, middle: middle, scratch: scratch}
			rows := strips(dy.H, TileRows)
			most := max(1, gradTilesMost/(b.vectors*t.lanes))
			for j := range strips(rows, most) {
				b.first, b.end = strip(rows, most, j)
				t.gradBand(&b, g, u, dy, src)
			}
		}
		whole := n - n%t.lanes
		if whole > 0 {
			runWinograd(t.unfilterID, &winogradArgs{
				u: unsafe.Pointer(&u[0]), m: unsafe.Pointer(&grad[0]), uStep: 4 * n, vectors: whole / t.lanes,
				numbers: unsafe.Pointer(&winogradFilters),
			})
		}
		unfilterFrom(grad, u, n, whole)
		g.sums(bias, dy)
	}
}

// gradBand is tiles whose transformed values are in memory together: rows
// [first, end) of tiles, some vectors from column x on.
type gradBand struct {
	first, end, x, vectors int
	middle, scratch        []float32
}

// gradBand adds what a band's tiles give to u, (point, input channel, output
// channel).
func (t *winogradTiles) gradBand(b *gradBand, g *gradTiles, u []float32, dy, src *Tensor) {
	lanes, n := t.lanes, b.vectors
	// Points lie a vector apart from each other, so that they do not meet in the
	// cache's sets.
	vStep, mStep := lanes*(src.C*n+1), lanes*(gradChannels*n+1)
	v := b.scratch[:(b.end-b.first)*tilePoints*vStep]
	m := b.scratch[len(v):][:(b.end-b.first)*tilePoints*mStep]
	a := winogradArgs{vectors: n, middle: unsafe.Pointer(&b.middle[0]), beside: unsafe.Pointer(&besideTile)}
	a.numbers, a.vStep = unsafe.Pointer(&winogradIn), 4*vStep
	a.mask = firstLanes(dy.W-b.x+lanes, (4*n+2)*lanes)
	for r := b.first; r < b.end; r++ {
		a.v, a.channels = unsafe.Pointer(&v[(r-b.first)*tilePoints*vStep]), src.C
		t.rows(&a, src, r*TileRows, b.x, 0, src.H)
		runWinograd(t.inID, &a)
	}
	a.numbers, a.vStep = unsafe.Pointer(&winogradOut), 4*mStep
	a.mask = firstLanes(dy.W-b.x, 4*n*lanes)
	p := gradArgs{vectors: n, dyPlane: 4 * lanes * n, gradStep: 4 * dy.C,
		srcSkip: 4 * (tilePoints*vStep - n*lanes), dySkip: 4 * (tilePoints*mStep - n*lanes)}
	for out := 0; out < dy.C; out += gradChannels {
		channels := min(gradChannels, dy.C-out)
		for r := b.first; r < b.end; r++ {
			a.m, a.channels = unsafe.Pointer(&m[(r-b.first)*tilePoints*mStep]), channels
			t.gradRows(&a, dy, out, r*TileRows, b.x)
			runWinograd(t.dyID, &a)
		}
		for point := range tilePoints {
			for j := 0; j < channels; {
				high := 4
				for high > channels-j {
					high /= 2
				}
				most := len(g.plain[high]) - 1
				for i := range strips(src.C, most) {
					from, to := strip(src.C, most, i)
					p.rows = b.end - b.first
					p.src, p.dy = unsafe.Pointer(&v[point*vStep+from*n*lanes]), unsafe.Pointer(&m[point*mStep+j*n*lanes])
					p.grad, p.off = unsafe.Pointer(&u[(point*src.C+from)*dy.C+out+j]), unsafe.Pointer(&channelOffsets[n*lanes/8-1])
					runGrad(g.plain[high][to-from], &p)
				}
				j += high
			}
		}
	}
}

// channelOffsets[s-1] are the offsets of channels that lie 8*s floats apart.
var channelOffsets = func() (offsets [stripVectors * Lanes / 8][8]int32) {
	for s := range offsets {
		for i := range offsets[s] {
			offsets[s][i] = int32(8 * (s + 1) * i)
		}
	}
	return offsets
}()

// gradRows points a at the four rows of the output's gradient of the tiles from
// row ty and column x on.
func (t *winogradTiles) gradRows(a *winogradArgs, dy *Tensor, channel, ty, x int) {
	a.off0, a.off1, a.off2, a.off3 = 0, 0, 0, 0
	row := [TileRows]*unsafe.Pointer{&a.row0, &a.row1, &a.row2, &a.row3}
	step := [TileRows]*int{&a.step0, &a.step1, &a.step2, &a.step3}
	for r := range TileRows {
		*row[r], *step[r] = unsafe.Pointer(&zeroRow), 0
		if ty+r < dy.H {
			*row[r], *step[r] = at(dy, channel, ty+r, x), 4*dy.Plane
		}
	}
}

// sums adds the sum of dy to bias.
func (t *gradTiles) sums(bias []float32, dy *Tensor) {
	width := roundUp(dy.W, t.lanes)
	for j := 0; j < dy.C; {
		high := 4
		for high > dy.C-j {
			high /= 2
		}
		a := gradArgs{vectors: width / t.lanes, rows: dy.H, dy: at(dy, j, 0, 0), dyPlane: 4 * dy.Plane,
			dySkip: 4 * (dy.Row - width), bias: unsafe.Pointer(&bias[j])}
		runGrad(t.bias[high][0], &a)
		j += high
	}
}
