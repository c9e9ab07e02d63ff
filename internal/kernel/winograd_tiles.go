//go:build amd64 && !noasm

package kernel

import "unsafe"

// winogradTiles drives the micro-kernels of one instruction set.
type winogradTiles struct {
	lanes       int
	high, most  int // output channels and vectors of the largest block
	point       int // vectors from point to point of the products
	inID, outID int
	filterID    int
	// Of the weight gradient.
	unfilterID, dyID, turnID int
	gradHigh, gradMost       int // input channels and vectors of output channels of the largest block
	grad                     [9][stripVectors + 1]int
	mul                      [9][stripVectors + 1]int // by output channels and vectors of tiles
}

// newWinograd makes it from an instruction set's variants, nil where those have
// no kernels for it.
func newWinograd(variants []Variant) *winogradSet {
	t := new(winogradTiles)
	for _, v := range variants {
		switch v.Op {
		case OpWinogradIn:
			t.inID = v.ID
		case OpWinogradFilter:
			t.filterID = v.ID
		case OpWinogradUnfilter:
			t.unfilterID = v.ID
		case OpWinogradDy:
			t.dyID = v.ID
		case OpWinogradTurn:
			t.turnID = v.ID
		case OpWinogradGrad:
			if v.B > t.gradHigh {
				t.gradHigh, t.gradMost = v.B, 0
			}
			if v.B == t.gradHigh {
				t.gradMost = max(t.gradMost, v.P)
			}
			t.grad[v.B][v.P] = v.ID
		case OpWinogradOut:
			t.outID, t.point = v.ID, v.P
		case OpWinogradMul:
			if t.lanes = v.Lanes; v.B > t.high {
				t.high, t.most = v.B, 0
			}
			if v.B == t.high {
				t.most = max(t.most, v.P)
			}
			t.mul[v.B][v.P] = v.ID
		}
	}
	if t.high == 0 {
		return nil
	}
	return &winogradSet{lanes: t.lanes, high: t.high, products: t.point, conv: t.conv, filters: t.filters, grad: t.winogradGrad(newGradTiles(variants))}
}

// Numbers of the transforms, see _gen.
var (
	winogradIn  = [...]float32{2.5, 2, 0.5, rootHalf, rootTwo}
	winogradOut = [...]float32{rootTwo, rootHalf, 0.5, 2}

	winogradFilters = [...]float32{filterLarge, filterThird, filterSmall, -filterLarge}
)

// besideTile are the numbers of the lanes with the tile before that of each of 16
// lanes, and with the tile after it. From 16 on they are of the vectors beyond.
var besideTile = [2 * Lanes]int32{
	16 + 15, 12, 13, 14, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
	4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 2, 3, 16,
}

// besidePair is besideTile where the upper half of a vector's tiles is a row of
// its own: it begins and ends with zeros as the lower does.
var besidePair = func() [2 * Lanes]int32 {
	b := besideTile
	const seventh, eighth = 13, 2 // lanes
	b[eighth], b[Lanes+seventh] = b[0], b[2*Lanes-1]
	return b
}()

// pairMask[w] selects, of two rows of w pixels side by side, what lies left of the
// first, and the pixels.
var pairMask = func() (m [pairWidth + 1][6 * Lanes]int32) {
	for w := range m {
		for i := range Lanes {
			m[w][i] = -1
		}
		for i := range w {
			m[w][Lanes+i], m[w][Lanes+pairWidth+i] = -1, -1
		}
	}
	return m
}()

// stripLanes is how many pixels of a row the widest strip reads.
const stripLanes = (4*stripVectors + 2) * Lanes

// stripMask[stripLanes-n:] selects the first n lanes.
var stripMask = func() (m [2 * stripLanes]int32) {
	for i := range stripLanes {
		m[i] = -1
	}
	return m
}()

// zeroRow is read where a tile lies outside the rows that are there.
var zeroRow [stripLanes]float32

// firstLanes is the mask of n of all lanes, nil where they are all.
func firstLanes(n, all int) unsafe.Pointer {
	if n >= all {
		return nil
	}
	return unsafe.Pointer(&stripMask[stripLanes-n])
}

func (t *winogradTiles) conv(g *Winograd, dst, src *Tensor, e *Epilogue, y0, y1, lead int, scratch []float32) {
	lanes := t.lanes
	point := t.point * lanes
	m := scratch[:tilePoints*point]
	middle := scratch[len(m):][:middleFloats]
	v := scratch[len(m)+middleFloats:]
	a := winogradArgs{
		middle: unsafe.Pointer(&middle[0]), v: unsafe.Pointer(&v[0]), m: unsafe.Pointer(&m[0]),
		dstRow: 4 * dst.Row, dstPlane: 4 * dst.Plane, beside: unsafe.Pointer(&besideTile), clip: unsafe.Pointer(e.Clip),
	}
	if e.Residual != nil {
		a.resRow, a.resPlane = 4*e.Residual.Row, 4*e.Residual.Plane
	}
	if e.ReLU {
		a.relu = 1
	}
	tiles := (dst.W + TileRows - 1) / TileRows
	vectors := (tiles + lanes - 1) / lanes
	high := TileRows
	if lead == 0 && pairs(lanes, dst.W, y1-y0) {
		high = 2 * TileRows
	}
	// A product of few vectors waits for its own sums: rows of tiles that are one
	// vector wide are multiplied together.
	rows, most := strips(y1-y0+lead, high), 1
	if vectors == 1 {
		most = t.most
	}
	for j := range strips(rows, most) {
		from, to := strip(rows, most, j)
		for i := range strips(vectors, t.most) {
			v0, v1 := strip(vectors, t.most, i)
			s := tileStrip{y0: y0, y1: y1, ty: y0 - lead + from*high, high: high, rows: to - from, x: v0 * TileRows * lanes, vectors: v1 - v0}
			t.strip(&a, &s, g, dst, src, e)
		}
	}
}

// tileStrip is rows of tiles, from output row ty on, each high pixels, and the
// vectors of each from column x on, of a convolution of rows [y0, y1). Rows of
// twice a tile's height are two in one vector.
type tileStrip struct{ y0, y1, ty, high, rows, x, vectors int }

// strip computes all output channels of a strip.
func (t *winogradTiles) strip(a *winogradArgs, s *tileStrip, g *Winograd, dst, src *Tensor, e *Epilogue) {
	lanes, n := t.lanes, s.vectors
	bytes, all := 4*lanes, n*s.rows
	v, m := a.v, a.m
	a.vectors, a.vChannel, a.vStep = n, bytes*all, bytes*(g.In*all+1)
	a.numbers = unsafe.Pointer(&winogradIn)
	a.mask = firstLanes(dst.W-s.x+lanes, (4*n+2)*lanes)
	paired := s.high > TileRows
	if paired {
		a.pair(src, dst.W)
	}
	for r := range s.rows {
		a.v, a.channels = unsafe.Add(v, bytes*n*r), g.In
		t.rows(a, src, s.ty+r*s.high, s.x, s.y0, s.y1)
		runWinograd(t.inID, a)
	}
	a.v = v

	a.numbers = unsafe.Pointer(&winogradOut)
	a.mask = firstLanes(dst.W-s.x, 4*n*lanes)
	if paired {
		a.mask, a.jump = unsafe.Pointer(&pairMask[dst.W][Lanes]), pairJump(dst)
		if e.Residual != nil {
			a.resJump = pairJump(e.Residual)
		}
	}
	a.mSkip = bytes * (all - n)
	for out := 0; out < g.Out; {
		b, u := g.block(out)
		a.channels, a.u = g.In, unsafe.Pointer(&u[0])
		runWinograd(t.mul[b][all], a)
		a.bias = unsafe.Pointer(&g.bias[out])
		if e.Slope != nil {
			a.slope = unsafe.Pointer(&e.Slope[out])
		}
		for r := range s.rows {
			ty := s.ty + r*s.high
			a.first, a.last = max(s.y0-ty, 0), min(s.y1-ty, TileRows)
			top := max(ty, s.y0)
			a.lift, a.resLift = (ty-top)*a.dstRow, (ty-top)*a.resRow
			a.m, a.channels, a.done = unsafe.Add(m, bytes*n*r), b, 0
			a.dst = at(dst, out, top, s.x)
			if e.Residual != nil {
				a.res = at(e.Residual, out, top, s.x)
			}
			if e.Gate != nil {
				a.gate = at(e.Gate, out, top, s.x)
			}
			runWinograd(t.outID, a)
		}
		a.m = m
		out += b
	}
}

// pair has In read two rows of tiles of w pixels into one vector.
func (a *winogradArgs) pair(src *Tensor, w int) {
	a.mask, a.beside, a.jump = unsafe.Pointer(&pairMask[w]), unsafe.Pointer(&besidePair), pairJump(src)
}

// pairJump is the way, in bytes, from where a row of tiles would go on to the row
// below.
func pairJump(t *Tensor) int { return 4 * (TileRows*t.Row - pairWidth) }

// filters is winogradSet's.
func (t *winogradTiles) filters(u []float32, n int) {
	whole := n - n%t.lanes
	if whole > 0 {
		runWinograd(t.filterID, &winogradArgs{
			u: unsafe.Pointer(&u[0]), uStep: 4 * n, vectors: whole / t.lanes, numbers: unsafe.Pointer(&winogradFilters),
		})
	}
	filtersFrom(u, n, whole)
}

// rows points a at the six rows of the source that the tiles of output row ty
// read, from one vector left of x on.
func (t *winogradTiles) rows(a *winogradArgs, src *Tensor, ty, x, y0, y1 int) {
	a.off0, a.off1, a.off2, a.off3, a.off4, a.off5 = 0, 0, 0, 0, 0, 0
	row := [tileIn]*unsafe.Pointer{&a.row0, &a.row1, &a.row2, &a.row3, &a.row4, &a.row5}
	step := [tileIn]*int{&a.step0, &a.step1, &a.step2, &a.step3, &a.step4, &a.step5}
	for r := range tileIn {
		if y := ty - 1 + r; y >= y0-1 && y <= y1 {
			*row[r], *step[r] = at(src, 0, y, x-t.lanes), 4*src.Plane
		} else {
			*row[r], *step[r] = unsafe.Pointer(&zeroRow), 0
		}
	}
}
