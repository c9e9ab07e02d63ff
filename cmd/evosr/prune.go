package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"evosr/fitness"
	"evosr/imaging"
	"evosr/network"
	"evosr/onnx"
	"evosr/rundir"
	"evosr/runner"
	"evosr/sparse"
	"evosr/upscale"
)

// pruneResult is the JSON of prune, a promise to scripts.
type pruneResult struct {
	Model     string       `json:"model"`
	Output    string       `json:"output"`
	Scheme    string       `json:"scheme"`
	Ratio     float64      `json:"ratio"` // pruned part of each layer
	Layers    []string     `json:"layers"`
	MACs      int          `json:"macs"` // of kept weights, one frame
	DenseMACs int          `json:"dense_macs"`
	Width     int          `json:"width"` // of the timed input
	Height    int          `json:"height"`
	BeforeMS  float64      `json:"before_ms"`
	AfterMS   float64      `json:"after_ms"`
	Before    *qualityJSON `json:"before,omitempty"` // on --images
	After     *qualityJSON `json:"after,omitempty"`
	ChangedDB *float64     `json:"changed_db,omitempty"` // PSNR between both networks' pictures
}

type qualityJSON struct {
	PSNR float64 `json:"psnr_db"`
	SSIM float64 `json:"ssim"`
}

func (a *app) pruneCmd() *cobra.Command {
	var o modelOptions
	var scheme, out, images string
	var percent, megapixels int
	var ends bool
	frame := size{320, 180}
	c := &cobra.Command{
		Use:   "prune MODEL --scheme S --ratio R -o OUT",
		Short: "Prune a network in one shot; say what it costs and what it gains",
		Long: "Takes the weakest weights of every convolution out of an ONNX network, without\n" +
			"training, and measures what that does to the picture and to the time. The first\n" +
			"and last convolutions stay whole unless --ends is given.\n\n" +
			"Schemes: filter, block2, block4, block8, pattern, unstructured.",
		Example: "  evosr prune fsrcnn.onnx --scheme block4 --ratio 0.5 --images Set5 -o pruned.onnx",
		Args:    arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := network.ParseScheme(scheme)
			if err != nil || s == network.Dense {
				names := schemeNames()
				return usagef("--scheme %q, want %s%s", scheme, strings.Join(names, ", "), among(scheme, names))
			}
			if strings.HasPrefix(args[0], pretrained) || args[0] == bicubic {
				return usagef("%s: prune takes an ONNX file; a search prunes pretrained networks better", args[0])
			}
			if same(args[0], out) {
				return usagef("%s is the network to be pruned: choose another name", out)
			}
			r, err := a.prune(c.Context(), args[0], out, network.Prune{Scheme: s, Percent: percent}, ends, images, frame, limits(megapixels), o)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(r)
			}
			return a.printPrune(r)
		},
	}
	c.Flags().StringVar(&scheme, "scheme", "block4", "which weights go together")
	percent = 50
	c.Flags().Var(ratio{&percent}, "ratio", "pruned part of each layer's weights, 0.01 to 0.95, or in percents")
	c.Flags().BoolVar(&ends, "ends", false, "prune the first and last convolutions too")
	c.Flags().StringVar(&images, "images", "", "folder of high-resolution pictures to measure the loss on (default the change of procedural ones)")
	c.Flags().Var(&frame, "size", "input picture of the timing, pixels")
	c.Flags().StringVarP(&out, "output", "o", "", "file to write: .onnx, or .evosr for a program")
	modelFlags(c, &o)
	megapixelsFlag(c, &megapixels)
	if err := c.MarkFlagRequired("output"); err != nil {
		panic(err)
	}
	return a.jsonFlag(c)
}

func (a *app) prune(ctx context.Context, path, out string, p network.Prune, ends bool, images string, s size, l imaging.Limits, o modelOptions) (*pruneResult, error) {
	if ext := filepath.Ext(out); ext != ".onnx" && ext != ".evosr" {
		return nil, usagef("%s, want a name that ends in .onnx or .evosr", out)
	}
	text, err := readModel(path, rundir.FileONNX)
	if err != nil {
		return nil, err
	}
	if isProgram(text) {
		return nil, usagef("%s is a program file: prune takes an ONNX file", path)
	}
	net, err := importONNX(path, text, o)
	if err != nil {
		return nil, err
	}
	before, err := net.compile(o.threads)
	if err != nil {
		return nil, err
	}
	defer before.Close()
	r := &pruneResult{Model: path, Output: out, Scheme: p.Scheme.String(), Ratio: float64(p.Percent) / 100, Width: s.w, Height: s.h}
	net.graph, r.Layers = net.graph.Prune(p, ends)
	if len(r.Layers) == 0 {
		return nil, dataf("model %s: has no convolution that %v prunes between its first and last; --ends prunes these too", path, p.Scheme)
	}
	after, err := net.compile(o.threads)
	if err != nil {
		return nil, err
	}
	defer after.Close()
	if err := a.loss(ctx, r, before, after, images, l); err != nil {
		return nil, err
	}
	if r.BeforeMS, r.AfterMS, err = sideBySide(before, after, s); err != nil {
		return nil, dataf("model %s: %w", path, err)
	}
	kept, dense := net.graph.MACs()
	r.MACs, r.DenseMACs = kept*s.w*s.h, dense*s.w*s.h
	meta := map[string]string{}
	maps.Copy(meta, net.meta)
	maps.Copy(meta, map[string]string{
		"evosr_version": runner.Version, "pruned_from": filepath.Base(path),
		"prune_scheme": r.Scheme, "prune_ratio": strconv.FormatFloat(r.Ratio, 'g', -1, 64),
	})
	after.SetMeta(meta)
	return r, writeWhole(out, func(w io.Writer) error {
		if filepath.Ext(out) == ".evosr" {
			return sparse.Encode(w, after)
		}
		return onnx.Export(w, net.graph.Eliminate(), onnx.ExportOptions{Meta: meta})
	})
}

// loss compares the pictures of both networks with the originals, or with each
// other where there are none.
func (a *app) loss(ctx context.Context, r *pruneResult, before, after *sparse.Program, images string, l imaging.Limits) error {
	x, y := &model{r.Model, upscale.New(before)}, &model{r.Output, upscale.New(after)}
	if images != "" {
		for _, u := range []struct {
			u  *model
			to **qualityJSON
		}{{x, &r.Before}, {y, &r.After}} {
			s, err := a.evaluate(ctx, u.u, images, l)
			if err != nil {
				return err
			}
			*u.to = &qualityJSON{s.Mean.PSNR, s.Mean.SSIM}
		}
		return nil
	}
	const side, pictures = 96, 4
	var sum float64
	for i := range pictures {
		lr := imaging.NewRGB([3]*imaging.Plane{imaging.Procedural(1, 3*i, side), imaging.Procedural(1, 3*i+1, side), imaging.Procedural(1, 3*i+2, side)})
		p, err := x.Picture(lr)
		if err != nil {
			return dataf("%w", err)
		}
		q, err := y.Picture(lr)
		if err != nil {
			return dataf("%w", err)
		}
		db, err := fitness.PSNR(p.Y, q.Y, before.Scale())
		if err != nil {
			return err
		}
		sum += db
	}
	db := sum / pictures
	if math.IsInf(db, 1) {
		db = 99 // equal in every code
	}
	r.ChangedDB = &db
	return nil
}

// sideBySide times two programs in turns, so that what else runs meets both.
func sideBySide(a, b *sparse.Program, s size) (first, second float64, err error) {
	const turns, runs = 5, 6
	var times [2]float64
	for t := range turns {
		for i, p := range []*sparse.Program{a, b} {
			f, _, err := p.Time(s.w, s.h, runs)
			if err != nil {
				return 0, 0, err
			}
			if v := ms(f.Median); t == 0 || v < times[i] {
				times[i] = v
			}
		}
	}
	return times[0], times[1], nil
}

func (a *app) printPrune(r *pruneResult) error {
	change := fmt.Sprintf("the picture changes by %.2f dB PSNR on procedural pictures (higher is less)", deref(r.ChangedDB))
	if r.Before != nil {
		change = fmt.Sprintf("%.2f dB before, %.2f dB after: %+.2f dB; SSIM %.4f and %.4f", r.Before.PSNR, r.After.PSNR, r.After.PSNR-r.Before.PSNR, r.Before.SSIM, r.After.SSIM)
	}
	_, err := fmt.Fprintf(a.out, "%s of %s pruned, %s %.0f %%: %.1f M of %.1f M multiplications a frame stay\n%s\n%dx%d: %.3f ms before, %.3f ms after, %.2f times as fast\n%s\n",
		plural(len(r.Layers), "convolution"), filepath.Base(r.Model), r.Scheme, 100*r.Ratio, float64(r.MACs)/1e6, float64(r.DenseMACs)/1e6,
		change, r.Width, r.Height, r.BeforeMS, r.AfterMS, r.BeforeMS/r.AfterMS, r.Output)
	return err
}

func deref(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}

// schemeNames are the schemes that prune.
func schemeNames() []string {
	var names []string
	for _, s := range network.Schemes() {
		if s != network.Dense {
			names = append(names, s.String())
		}
	}
	return names
}
