package kernel

import (
	"fmt"
	"testing"
	"unsafe"

	"evosr/internal/check"
)

// TestLayout looks at every address that a tensor's readers may use: pixels
// are each other's neighbours only, and a border cell belongs to no pixel.
func TestLayout(t *testing.T) {
	for _, border := range []int{0, 1, 2, 4} {
		for _, w := range []int{1, 12, 14, 15, 16, 17, 31, 32, 48} {
			for _, h := range []int{1, 2, 5} {
				for _, c := range []int{1, 3} {
					t.Run(fmt.Sprintf("%dx%dx%d_border_%d", c, h, w, border), func(t *testing.T) {
						x := NewTensor(c, h, w, border)
						if x.Origin%Lanes != 0 || x.Row%Lanes != 0 || x.Plane%Lanes != 0 || uintptr(unsafe.Pointer(&x.Data[0]))%64 != 0 {
							t.Fatalf("not on cache lines: %+v", x)
						}
						pixel := map[int]bool{}
						for c := range x.C {
							for y := range x.H {
								for i := range x.W {
									at := x.Origin + c*x.Plane + y*x.Row + i
									if pixel[at] {
										t.Fatalf("pixel (%d, %d, %d) shares its place", c, y, i)
									}
									pixel[at] = true
								}
							}
						}
						vectors := roundUp(w, Lanes)
						for c := range x.C {
							for y := -border; y < h+border; y++ {
								for i := -border; i < w+border; i++ {
									at := x.Origin + c*x.Plane + y*x.Row + i
									inside := y >= 0 && y < h && i >= 0 && i < w
									if at < 0 || at >= len(x.Data) || pixel[at] != inside {
										t.Fatalf("(%d, %d, %d) lies at %d of %d, on a pixel: %v", c, y, i, at, len(x.Data), pixel[at])
									}
								}
								// The last vector of a row, read border pixels to the right.
								if end := x.Origin + c*x.Plane + y*x.Row + vectors + border; end > len(x.Data) {
									t.Fatalf("row %d of channel %d is read up to %d of %d", y, c, end, len(x.Data))
								}
							}
							for y := range h { // padding that a whole vector reads is nobody's pixel
								for i := w; i < vectors; i++ {
									if pixel[x.Origin+c*x.Plane+y*x.Row+i] {
										t.Fatalf("padding %d of row %d is a pixel", i, y)
									}
								}
							}
						}
					})
				}
			}
		}
	}
}

// TestEdgeBorder holds what a reader sees around the picture against clamped
// coordinates, for one and three channels.
func TestEdgeBorder(t *testing.T) {
	rng := check.Rand(t)
	for _, c := range []int{1, 3} {
		for _, reach := range []int{1, 2} {
			for _, w := range []int{1, 2, 12, 13, 16, 28, 48} {
				for _, h := range []int{1, 2, 7} {
					x := guardedTensor(t, rng, c, h, w, 2*reach)
					want := newPlanes(x)
					x.EdgeBorder(reach)
					for c := range c {
						for y := -reach; y < h+reach; y++ {
							for i := -reach; i < w+reach; i++ {
								got := float64(x.Data[x.Origin+c*x.Plane+y*x.Row+i])
								if edge := want.at(c, min(max(y, 0), h-1), min(max(i, 0), w-1)); got != edge {
									t.Fatalf("(%d, %d, %d) of (%d, %d, %d), reach %d: %v, want %v", c, y, i, x.C, h, w, reach, got, edge)
								}
							}
						}
					}
				}
			}
		}
	}
}

func TestEdgeBorderNarrow(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a border of 3 passes for reach 2")
		}
	}()
	NewTensor(1, 4, 4, 3).EdgeBorder(2)
}

func TestStrip(t *testing.T) {
	for n := range 50 {
		for most := 1; most < 25; most++ {
			next, least, largest := 0, n, 0
			for i := range strips(n, most) {
				from, to := strip(n, most, i)
				if from != next || to <= from {
					t.Fatalf("strip %d of %d by %d is [%d, %d), want it from %d", i, n, most, from, to, next)
				}
				next, least, largest = to, min(least, to-from), max(largest, to-from)
			}
			if next != n || largest > most || largest > least+1 {
				t.Fatalf("%d by %d: strips end at %d, of %d to %d", n, most, next, least, largest)
			}
		}
	}
}
