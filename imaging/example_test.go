package imaging_test

import (
	"fmt"

	"evosr/imaging"
)

// Resize is MATLAB's imresize: bicubic, antialiased where it shrinks.
func ExampleResize() {
	p := imaging.NewPlane(4, 1)
	copy(p.Pix, []float32{0, 0, 1, 1})
	half := imaging.Resize(p, 2, 1)
	fmt.Printf("%.4f\n", half.Pix)
	// Output: [0.0547 0.9453]
}

// Downscale makes the low resolution of the papers, rounded to 8 bits, and Upscale
// is the bicubic enlargement that networks are held against.
func ExampleUpscale() {
	p := imaging.Procedural(1, 0, 64)
	low := imaging.Downscale(p, 2)
	high := imaging.Upscale(low, 2)
	fmt.Println(low.W, low.H, high.W, high.H)
	// Output: 32 32 64 64
}
