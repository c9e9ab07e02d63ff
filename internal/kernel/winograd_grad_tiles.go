//go:build amd64 && !noasm

package kernel

import "unsafe"

// winogradGrad makes Set.WinogradGrad of an instruction set.
func (t *winogradTiles) winogradGrad(g *gradTiles) func(grad, bias []float32, dy, src *Tensor, scratch []float32) {
	return func(grad, bias []float32, dy, src *Tensor, scratch []float32) {
		checkWinogradGrad(t.lanes, grad, bias, dy, src, scratch)
		n := src.C * dy.C
		u := scratch[:tilePoints*n]
		clear(u)
		tiles := (dy.W + TileRows - 1) / TileRows
		vectors := (tiles + t.lanes - 1) / t.lanes
		k := strips(vectors, stripVectors)
		for i := range k {
			v0, v1 := strip(vectors, stripVectors, i)
			b := gradBand{vectors: v1 - v0, x: v0 * TileRows * t.lanes, scratch: scratch[len(u):]}
			b.tiles, b.high = min(tiles, v1*t.lanes)-v0*t.lanes, TileRows
			if pairs(t.lanes, dy.W, dy.H) {
				b.tiles, b.high = t.lanes, 2*TileRows
			}
			rows := strips(dy.H, b.high)
			most := max(1, min(gradTilesMost/b.tiles, gradLanesMost/(b.vectors*t.lanes)))
			for j := range strips(rows, most) {
				b.first, b.end = strip(rows, most, j)
				t.gradBand(&b, u, dy, src)
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
// [first, end) of tiles, each high pixels, some tiles and the vectors they fill
// from column x on. Rows of twice a tile's height are two in one vector, their
// tiles one after the other's.
type gradBand struct {
	first, end, high, x, tiles, vectors int
	scratch                             []float32
}

// gradBand adds what a band's tiles give to u, (point, input channel, output
// channel).
func (t *winogradTiles) gradBand(b *gradBand, u []float32, dy, src *Tensor) {
	lanes, rows := t.lanes, b.end-b.first
	middle := b.scratch[:middleFloats]
	// Points lie a vector apart from each other, so that they do not meet in the
	// cache's sets.
	vStep := lanes * (src.C*b.vectors + 1)
	v := b.scratch[middleFloats:][:rows*tilePoints*vStep]
	rest := b.scratch[middleFloats+len(v):]
	a := winogradArgs{
		middle: unsafe.Pointer(&middle[0]), beside: unsafe.Pointer(&besideTile), numbers: unsafe.Pointer(&winogradIn),
		vectors: b.vectors, vStep: 4 * vStep, vChannel: 4 * lanes * b.vectors, mask: firstLanes(dy.W-b.x+lanes, (4*b.vectors+2)*lanes),
	}
	if b.high > TileRows {
		a.pair(src, src.W)
	}
	for r := range rows {
		a.v, a.channels = unsafe.Pointer(&v[r*tilePoints*vStep]), src.C
		t.rows(&a, src, (b.first+r)*b.high, b.x, 0, src.H)
		runWinograd(t.inID, &a)
	}
	groups := strips(dy.C, lanes)
	for i := range strips(groups, t.gradMost) {
		from, to := strip(groups, t.gradMost, i)
		p, out := to-from, from*lanes
		mStep := lanes * (rows*b.tiles*p + 1)
		m := rest[:tilePoints*mStep]
		for group := range p {
			t.gradRows(b, m[group*lanes:], rest[len(m):], dy, out+group*lanes, mStep, p)
		}
		a := winogradArgs{
			vStep: 4 * vStep, mStep: 4 * mStep, uStep: 4 * src.C * dy.C, step0: 4 * tilePoints * vStep,
			step1: 4 * lanes * b.vectors, step2: 4 * dy.C, vectors: b.tiles,
			mask:    unsafe.Pointer(&stripMask[stripLanes-min(lanes, dy.C-out-(p-1)*lanes)]),
			offsets: unsafe.Pointer(&tileOffsets[lanes/Lanes]),
		}
		for c := 0; c < src.C; {
			high := t.gradHigh
			for high > src.C-c {
				high /= 2
			}
			a.v, a.m, a.u, a.last = unsafe.Pointer(&v[c*b.vectors*lanes]), unsafe.Pointer(&m[0]), unsafe.Pointer(&u[c*dy.C+out]), rows
			runWinograd(t.grad[high][p], &a)
			c += high
		}
	}
}

// tileOffsets are where the tiles of a strip lie in its vectors, in bytes, for
// vectors of 8 and of 16 lanes; see _gen.
var tileOffsets = func() (offsets [2][stripVectors * Lanes]int32) {
	for i, lanes := range []int{8, 16} {
		for tile := range stripVectors * lanes {
			within := tile % lanes
			lane := 4*(within%(lanes/4)) + within/(lanes/4)
			offsets[i][tile] = int32(4 * (tile - within + lane))
		}
	}
	return offsets
}()

// gradRows transforms the output's gradient in as many channels as a vector has
// lanes, from one on, for a band's tiles. In m points are mStep floats apart and
// tiles p vectors. Lanes beyond the last channel repeat it.
func (t *winogradTiles) gradRows(b *gradBand, m, turned []float32, dy *Tensor, channel, mStep, p int) {
	lanes := t.lanes
	pixels, parts := roundUp(TileRows*b.tiles, lanes), b.high/TileRows
	var offsets [Lanes]int
	for i := range lanes {
		offsets[i] = 4 * dy.Plane * min(i, dy.C-1-channel)
	}
	turn := winogradArgs{offsets: unsafe.Pointer(&offsets), vectors: pixels / lanes / parts}
	a := winogradArgs{
		row0: unsafe.Pointer(&turned[0]), step0: 4 * pixels * lanes, step1: 4 * p * lanes, vStep: 4 * mStep, vectors: b.tiles,
		middle: unsafe.Pointer(&b.scratch[0]), numbers: unsafe.Pointer(&winogradOut),
	}
	for r := b.first; r < b.end; r++ {
		for y := range TileRows {
			row := turned[y*pixels*lanes:][:pixels*lanes]
			if r*b.high+y >= dy.H {
				clear(row)
				continue
			}
			for i := range parts {
				turn.row0, turn.m = at(dy, channel, r*b.high+i*TileRows+y, b.x), unsafe.Pointer(&row[i*pairWidth*lanes])
				runWinograd(t.turnID, &turn)
			}
		}
		a.m = unsafe.Pointer(&m[(r-b.first)*b.tiles*p*lanes])
		runWinograd(t.dyID, &a)
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
