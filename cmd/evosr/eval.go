package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/fitness"
	"evosr/imaging"
)

func (a *app) evalCmd() *cobra.Command {
	var images string
	var model modelOptions
	var megapixels int
	c := &cobra.Command{
		Use:   "eval MODEL --images DIR",
		Short: "PSNR and SSIM on high-resolution pictures, by the papers' conventions",
		Long: "Reduces every picture of DIR by MATLAB's bicubic method, enlarges it again with\n" +
			"MODEL and compares with the original:\n" + fitness.Definition + ".",
		Example: "  evosr eval model.onnx --images Set5\n" +
			"  evosr eval bicubic --images Set5 --scale 4 --json",
		Args: arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			u, err := openModel(args[0], model)
			if err != nil {
				return err
			}
			defer u.Close()
			score, err := a.evaluate(c.Context(), u, images, limits(megapixels))
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(score)
			}
			return a.printScore(u, score)
		},
	}
	c.Flags().StringVar(&images, "images", "", "folder of high-resolution pictures")
	scaleFlag(c, &model.scale)
	modelFlags(c, &model)
	megapixelsFlag(c, &megapixels)
	if err := c.MarkFlagRequired("images"); err != nil {
		panic(err)
	}
	return a.jsonFlag(c)
}

func (a *app) evaluate(ctx context.Context, u *model, folder string, l imaging.Limits) (fitness.SetScore, error) {
	var model fitness.Upscaler // nil is bicubic
	if u.Program() != nil {
		model = u
	}
	m := a.meter()
	defer m.close()
	s, err := fitness.EvaluateFolder(ctx, model, folder, u.Scale(), l, func(name string, done, total int) {
		m.set(beat{stage: "eval", message: name, done: float64(done), total: float64(total)})
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return s, dataf("%w", err)
	}
	return s, err
}

func (a *app) printScore(u *model, s fitness.SetScore) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "picture\tPSNR dB\tSSIM\n")
	for _, i := range s.Images {
		fmt.Fprintf(w, "%s\t%.2f\t%.4f\n", i.Name, i.PSNR, i.SSIM)
	}
	fmt.Fprintf(w, "mean\t%.2f\t%.4f\n", s.Mean.PSNR, s.Mean.SSIM)
	if u.Program() != nil {
		fmt.Fprintf(w, "bicubic mean\t%.2f\t%.4f\n", s.Bicubic.PSNR, s.Bicubic.SSIM)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	definition := fitness.Definition
	if u.Colors() == 3 {
		definition = fitness.DefinitionRGB
	}
	_, err := fmt.Fprintf(a.out, "%s, x%d. %s.\n", filepath.Base(u.name), s.Scale, definition)
	return err
}
