package kernel

import "fmt"

// Winograd is a dense 3x3 layer prepared for Winograd's minimal filtering
// F(4x4, 3x3) on one Set: 36 multiplications for 16 pixels where the filter has
// 144 (Lavin & Gray, arXiv:1509.09308). The points are 0, ±sqrt(1/2), ±sqrt(2)
// and infinity, which keep the numbers small (Barabasz et al.,
// arXiv:1803.10986); results differ from those of Conv by about 1e-6 of the
// sums' usual size. A source value that is no number spoils its whole tile.
//
// It holds transformed copies of the weights and may be used by many goroutines.
type Winograd struct {
	In, Out int // channels
	bias    []float32
	u       []float32 // of blocks one after the other: point, input channel, output channel
	set     *winogradSet
}

// block is how many output channels from first on are computed together, and
// their transformed weights.
func (g *Winograd) block(first int) (b int, u []float32) {
	b = g.set.high
	for b > g.Out-first {
		b /= 2
	}
	return b, g.u[tilePoints*g.In*first:][:tilePoints*g.In*b]
}

// winogradSet is how a Set runs it.
type winogradSet struct {
	lanes    int // of a vector of tiles
	high     int // the most output channels of a block
	products int // vectors of scratch for each point's products
	conv     func(g *Winograd, dst, src *Tensor, e *Epilogue, y0, y1, lead int, scratch []float32)
	// filters transforms n filters: their nine weights are the first planes of n
	// floats in u, their points become all of them.
	filters func(u []float32, n int)
	grad    func(grad, bias []float32, dy, src *Tensor, scratch []float32)
}

// A tile is TileRows x TileRows pixels of output, computed from tileIn x tileIn.
const (
	TileRows   = 4
	tileIn     = TileRows + 2
	tilePoints = tileIn * tileIn
	// stripVectors is how many vectors of tiles are computed together.
	stripVectors = 3
	middleFloats = tileIn * (4*stripVectors + 2) * Lanes
)

// rootHalf and rootTwo are two of the points.
const (
	rootHalf = 0.70710678118654752440
	rootTwo  = 1.41421356237309504880
)

// Columns is how many pixels of a row of that width are computed: whole vectors
// of tiles.
func (g *Winograd) Columns(width int) int { return g.set.columns(width) }

func (s *winogradSet) columns(width int) int { return roundUp(width, TileRows*s.lanes) }

// pairWidth is the most pixels of a row that fill half a vector of 16 tiles.
const pairWidth = TileRows * Lanes / 2

// pairs says whether two rows of tiles, one below the other, are computed in one
// vector: where they fill more than a quarter and at most half of the widest one,
// and no row is left over.
func pairs(lanes, width, height int) bool {
	return lanes == Lanes && pairWidth/2 < width && width <= pairWidth && height%(2*TileRows) == 0
}

// Scratch is the floats of scratch memory that Conv needs.
func (g *Winograd) Scratch() int { return g.set.scratch(g.In) }

func (s *winogradSet) scratch(in int) int {
	return (tilePoints*(in*stripVectors+1)+tilePoints*s.products)*s.lanes + middleFloats
}

// Conv computes rows [y0, y1) of channels [0, Out) of dst from src, as Set.Conv
// does; a Gate must have dst's strides. Of src it uses the rows [y0-1, y1] and one
// pixel on the left, which must be zero; what lies right of a row counts as zero. It may read Lanes
// floats on the left.
//
// Tiles start at row y0-lead, 0 <= lead < TileRows: pixels have the same bits
// however a picture's rows are split, as long as splits lie at tiles' edges.
// scratch is memory of at least Scratch() floats for this call alone, best
// aligned to 64 bytes.
func (g *Winograd) Conv(dst, src *Tensor, e *Epilogue, y0, y1, lead int, scratch []float32) {
	if y0 >= y1 {
		return
	}
	g.check(dst, src, e, y0, y1, lead, scratch)
	g.set.conv(g, dst, src, e, y0, y1, lead, scratch)
}

// check panics where Conv would leave its tensors.
func (g *Winograd) check(dst, src *Tensor, e *Epilogue, y0, y1, lead int, scratch []float32) {
	if y0 < 0 || y1 > dst.H || dst.H != src.H || dst.W != src.W || src.C != g.In || dst.C < g.Out || lead < 0 || lead >= TileRows {
		panic(fmt.Sprintf("kernel: Winograd: rows [%d, %d) of (%d, %d, %d) from (%d, %d, %d), lead %d, want (%d, h, w) from (%d, h, w)",
			y0, y1, dst.C, dst.H, dst.W, src.C, src.H, src.W, lead, g.Out, g.In))
	}
	dst.mustHold("Winograd", "dst", dst.W)
	src.mustHold("Winograd", "src", src.W)
	if r := e.Residual; r != nil {
		if r.C != dst.C || r.H != dst.H || r.W != dst.W {
			panic(fmt.Sprintf("kernel: Winograd: residual of (%d, %d, %d), want (%d, %d, %d)", r.C, r.H, r.W, dst.C, dst.H, dst.W))
		}
		r.mustHold("Winograd", "residual", r.W)
	}
	if t := e.Gate; t != nil {
		if t.C != dst.C || t.H != dst.H || t.W != dst.W || t.Row != dst.Row || t.Plane != dst.Plane {
			panic(fmt.Sprintf("kernel: Winograd: gate of (%d, %d, %d), rows of %d, planes of %d, want (%d, %d, %d), %d, %d",
				t.C, t.H, t.W, t.Row, t.Plane, dst.C, dst.H, dst.W, dst.Row, dst.Plane))
		}
		t.mustHold("Winograd", "gate", t.W)
	}
	if e.Slope != nil && len(e.Slope) < g.Out {
		panic(fmt.Sprintf("kernel: Winograd: %d slopes, want %d or none", len(e.Slope), g.Out))
	}
	first, last := src.Origin+(y0-1)*src.Row-Lanes, src.Origin+(src.C-1)*src.Plane+y1*src.Row+src.W
	if first < 0 || last > len(src.Data) || len(scratch) < g.Scratch() {
		panic(fmt.Sprintf("kernel: Winograd: floats [%d, %d) of a source of %d, %d of scratch, want %d",
			first, last, len(src.Data), len(scratch), g.Scratch()))
	}
}

// winogradGo is the plain loops, the meaning of the others: a vector is a row's
// tile.
var winogradGo = &winogradSet{lanes: 1, high: 1, conv: winogradScalar, filters: filtersScalar, grad: winogradGradScalar}

func winogradScalar(g *Winograd, dst, src *Tensor, e *Epilogue, y0, y1, lead int, scratch []float32) {
	v := scratch[:tilePoints*g.In]
	for ty := y0 - lead; ty < y1; ty += TileRows {
		for x := 0; x < dst.W; x += TileRows {
			for i := range g.In {
				var d [tilePoints]float32
				loadTile(&d, src, i, ty, x, y0, y1)
				for p, value := range d {
					v[p*g.In+i] = value
				}
			}
			for out := range g.Out {
				_, points := g.block(out)
				var m [tilePoints]float32
				for p := range m {
					u := points[p*g.In:][:g.In]
					for i, value := range v[p*g.In:][:g.In] {
						m[p] += u[i] * value
					}
				}
				for c := range tileIn {
					transformOut(m[c:], tileIn)
				}
				for r := range TileRows {
					transformOut(m[r*tileIn:], 1)
					y := ty + r
					if y < y0 || y >= y1 {
						continue
					}
					n := min(TileRows, dst.W-x)
					row := m[r*tileIn:][:n]
					for k := range row {
						row[k] += g.bias[out]
						if e.Residual != nil {
							row[k] += e.Residual.At(out, y)[x+k]
						}
					}
					finish(row, e, out, y, x)
					copy(dst.At(out, y)[x:], row)
				}
			}
		}
	}
}

// loadTile transforms what a tile of row ty and column x reads of channel i; rows
// outside [y0-1, y1] count as zero.
func loadTile(d *[tilePoints]float32, src *Tensor, i, ty, x, y0, y1 int) {
	for r := range tileIn {
		if y := ty - 1 + r; y >= y0-1 && y <= y1 {
			from := src.Origin + i*src.Plane + y*src.Row + x - 1
			copy(d[r*tileIn:][:tileIn], src.Data[from:][:min(tileIn, src.W-x+1)])
		}
	}
	for c := range tileIn {
		transformIn(d[c:], tileIn)
	}
	for r := range tileIn {
		transformIn(d[r*tileIn:], 1)
	}
}

// transformIn transforms six values, step apart, in place (B^T of the papers).
func transformIn(d []float32, step int) {
	d0, d1, d2, d3, d4, d5 := d[0], d[step], d[2*step], d[3*step], d[4*step], d[5*step]
	t0, t1 := d4-2*d2, d3-2*d1
	u0, u1 := d4-0.5*d2, d3-0.5*d1
	d[0], d[5*step] = d0+d4-2.5*d2, d5+d1-2.5*d3
	d[step], d[2*step] = t0+rootHalf*t1, t0-rootHalf*t1
	d[3*step], d[4*step] = u0+rootTwo*u1, u0-rootTwo*u1
}

// transformOut makes four sums of six values (A^T of the papers).
func transformOut(m []float32, step int) {
	s0, s1 := m[step]+m[2*step], m[3*step]+m[4*step]
	d0, d1 := m[step]-m[2*step], m[3*step]-m[4*step]
	m[0] += rootTwo*s0 + rootHalf*s1
	m[step] = d0 + d1
	m[2*step] = rootHalf*s0 + rootTwo*s1
	m[3*step] = m[5*step] + 0.5*d0 + 2*d1
}
