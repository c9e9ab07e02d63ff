package fitness_test

import (
	"fmt"

	"evosr/fitness"
	"evosr/imaging"
)

// PSNR and SSIM of a picture against its original, borders of two pixels left out,
// as papers measure an enlargement by two.
func ExamplePSNR() {
	original := imaging.Procedural(1, 0, 64)
	bicubic := imaging.Upscale(imaging.Downscale(original, 2), 2).Round()
	db, err := fitness.PSNR(bicubic, original, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	same, err := fitness.SSIM(original, original, 2)
	fmt.Println(db > 20, db < 50, same, err)
	// Output: true true 1 <nil>
}
