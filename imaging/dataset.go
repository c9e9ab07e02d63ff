package imaging

import (
	"fmt"
	"math/rand/v2"
)

// Dataset holds pictures in high and low resolution and deals aligned patches
// of them. It may be read by many goroutines, each with its own generator.
type Dataset struct {
	scale int
	hr    []codes
	lr    []codes
	value [256]float32 // k/255
}

// codes is a rounded plane at a quarter of the memory.
type codes struct {
	w, h int
	pix  []uint8
}

// NewDataset prepares the pictures hr: each is rounded, cropped to a multiple
// of scale and downscaled. The planes are not kept.
func NewDataset(hr []*Plane, scale int) (*Dataset, error) {
	if scale < 1 || scale > 8 {
		return nil, fmt.Errorf("imaging: dataset: scale %d, want 1 to 8", scale)
	}
	if len(hr) == 0 {
		return nil, fmt.Errorf("imaging: dataset: no pictures")
	}
	d := &Dataset{scale: scale}
	for i := range d.value {
		d.value[i] = float32(i) / 255
	}
	for _, p := range hr {
		if err := d.Add(p); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Add prepares one more picture, so that a large set need not be in memory as
// planes. No patch may be dealt meanwhile.
func (d *Dataset) Add(hr *Plane) error {
	if hr.W < d.scale || hr.H < d.scale {
		return fmt.Errorf("imaging: dataset: picture %d is %dx%d, want at least %dx%d", d.Len(), hr.W, hr.H, d.scale, d.scale)
	}
	pair := NewPair("", hr, d.scale)
	d.hr = append(d.hr, toCodes(pair.HR))
	d.lr = append(d.lr, toCodes(pair.LR))
	return nil
}

func toCodes(p *Plane) codes {
	c := codes{p.W, p.H, make([]uint8, len(p.Pix))}
	for i, v := range p.Pix {
		c.pix[i] = Code(v)
	}
	return c
}

// Len returns the number of pictures, Scale the factor between the two sizes.
func (d *Dataset) Len() int   { return len(d.hr) }
func (d *Dataset) Scale() int { return d.scale }

// Fits returns an error unless every picture holds a patch of size x size low
// resolution pixels.
func (d *Dataset) Fits(size int) error {
	for i, p := range d.lr {
		if size < 1 || size > p.w || size > p.h {
			return fmt.Errorf("imaging: dataset: patches of %dx%d do not fit picture %d, which is %dx%d in low resolution",
				size, size, i, p.w, p.h)
		}
	}
	return nil
}

// patchPlaces is how many random places a patch is chosen from, by detail: empty
// sky teaches little. With two, networks are 0.02 dB better after as many steps,
// with three no more (docs/history.md).
const patchPlaces = 2

// Patch writes a random patch: of two random places in random pictures the one
// with more detail, in one of the eight flips and rotations. lr gets size²
// values, hr (size*scale)², rows without padding. What it draws depends on rng
// alone; it allocates nothing. It panics when Fits(size) would fail for a picture
// drawn.
func (d *Dataset) Patch(rng *rand.Rand, size int, lr, hr []float32) {
	var picture, x, y int
	most := -1
	for range patchPlaces {
		i := rng.IntN(len(d.lr))
		l := &d.lr[i]
		if size < 1 || size > l.w || size > l.h || len(lr) != size*size || len(hr) != len(lr)*d.scale*d.scale {
			panic(fmt.Sprintf("imaging: Patch: size %d of a %dx%d picture into %d and %d values", size, l.w, l.h, len(lr), len(hr)))
		}
		left, top := rng.IntN(l.w-size+1), rng.IntN(l.h-size+1)
		if v := l.detail(left, top, size); v > most {
			most, picture, x, y = v, i, left, top
		}
	}
	symmetry := rng.IntN(8)
	d.cut(lr, &d.lr[picture], x, y, size, symmetry)
	d.cut(hr, &d.hr[picture], x*d.scale, y*d.scale, size*d.scale, symmetry)
}

// detail is the sum of the absolute differences of neighbours in the size x size
// pixels at (x, y).
func (c *codes) detail(x, y, size int) int {
	sum := 0
	at := y*c.w + x
	for row := range size {
		here := c.pix[at+row*c.w:][:size]
		below := here
		if row < size-1 {
			below = c.pix[at+(row+1)*c.w:][:size]
		}
		last := int(here[0])
		for i, v := range here {
			sum += max(int(v)-last, last-int(v)) + max(int(below[i])-int(v), int(v)-int(below[i]))
			last = int(v)
		}
	}
	return sum
}

// cut writes the size x size pixels at (x0, y0) to dst after a flip: bit 0 of
// symmetry mirrors left and right, bit 1 top and bottom, bit 2 swaps rows and
// columns.
func (d *Dataset) cut(dst []float32, src *codes, x0, y0, size, symmetry int) {
	start, right, down := y0*src.w+x0, 1, src.w // steps in src per step in dst
	if symmetry&1 != 0 {
		start, right = start+(size-1)*right, -right
	}
	if symmetry&2 != 0 {
		start, down = start+(size-1)*down, -down
	}
	if symmetry&4 != 0 {
		right, down = down, right
	}
	for y := range size {
		at := start + y*down
		for x := range size {
			dst[y*size+x] = d.value[src.pix[at]]
			at += right
		}
	}
}

// Pair is one picture to score on.
type Pair struct {
	Name string
	LR   *Plane // Downscale(HR)
	HR   *Plane // rounded, sides a multiple of the scale
}

// NewPair makes the pair of a luma plane. It panics when a side is shorter
// than scale.
func NewPair(name string, luma *Plane, scale int) Pair {
	hr := luma.CropTo(scale).Round()
	return Pair{Name: name, LR: Downscale(hr, scale), HR: hr}
}
