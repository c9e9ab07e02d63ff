package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/network"
	"evosr/onnx"
	"evosr/runner"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// pretrained begins the names of the networks that the binary carries.
const pretrained = "pretrained:"

// pretrainedNet gives the embedded supernet of a name such as pretrained:x2.
func pretrainedNet(name string) (*supernet.Supernet, map[string]string, error) {
	scale := slices.Index([]string{"x2", "x3", "x4"}, strings.TrimPrefix(name, pretrained)) + 2
	if scale < 2 {
		return nil, nil, usagef("%s, want %s", name, strings.Join(carried(), " or "))
	}
	net, meta, err := supernet.Pretrained(scale)
	if errors.Is(err, supernet.ErrNotPretrained) {
		return nil, nil, usagef("%s: this version carries no weights for it; give a file", name)
	}
	return net, meta, err
}

// carried are the names of the networks that the binary carries.
func carried() []string {
	var names []string
	for _, m := range supernet.Models() {
		names = append(names, m.Name)
	}
	return names
}

// pretrainedProgram compiles the best dense network of an embedded supernet.
func pretrainedProgram(name string, o sparse.Options) (*sparse.Program, error) {
	net, meta, err := pretrainedNet(name)
	if err != nil {
		return nil, err
	}
	best, err := net.Best(meta)
	if err != nil {
		return nil, err
	}
	p, err := sparse.Compile(best, o)
	if err != nil {
		return nil, err
	}
	meta["genome"] = best.Genome
	p.SetMeta(meta)
	return p, nil
}

// openSupernet reads SUPERNET: a file, a run directory or pretrained:xN.
func openSupernet(name string) (*supernet.Supernet, map[string]string, error) {
	if strings.HasPrefix(name, pretrained) {
		return pretrainedNet(name)
	}
	path := name
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		d, err := openRun(name)
		if err != nil {
			return nil, nil, err
		}
		path = d.Supernet()
		if err := d.Close(); err != nil {
			return nil, nil, err
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, nil, usagef("%s: its supernet is not trained yet", name)
		}
	}
	net, meta, err := supernet.Load(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil, dataf("%s: no such file; want a file of weights, a run directory or %sxN", name, pretrained)
	case err != nil:
		return nil, nil, &coded{exitData, err}
	}
	return net, meta, nil
}

// openSupernetFor is openSupernet for a command that writes the file out.
func openSupernetFor(out, name string) (*supernet.Supernet, map[string]string, error) {
	if out == "" {
		return nil, nil, usagef("-o is missing: want the file to write")
	}
	return openSupernet(name)
}

func (a *app) supernetCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "supernet",
		Short: "The shared weights: show, extract, export, import, rank",
		Long: "SUPERNET is a file of weights (.safetensors, or the compact .evon), a run directory,\n" +
			"or pretrained:xN. The layout of the files is in docs/formats.md, so that other\n" +
			"programs can train one.",
	}
	c.AddCommand(a.supernetShowCmd(), a.supernetExtractCmd(), a.supernetExportCmd(), a.supernetImportCmd(), a.supernetRankCmd())
	return c
}

// supernetJSON is the output of supernet show.
type supernetJSON struct {
	Scale    int               `json:"scale"`
	Colors   int               `json:"colors"`
	Widths   []int             `json:"widths"`
	Slots    int               `json:"slots"`
	Schemes  []string          `json:"schemes"`
	Percents []int             `json:"percents"`
	Splits   []int             `json:"splits"`  // borders of partitions with weights of their own, multiplications of one pixel
	Apart    []int             `json:"apart"`   // of these, those whose pruned networks are a partition for themselves, from 1
	Weights  int               `json:"weights"` // shared, biases included
	Best     string            `json:"best"`    // genome of the best dense network
	Params   int               `json:"params"`  // its weights and biases
	MACs     int               `json:"macs"`    // its multiplications, one pixel of low resolution
	Hash     string            `json:"hash"`
	Meta     map[string]string `json:"meta"`

	Network  string                `json:"network"` // genome of the network that was looked into
	Layers   []supernet.LayerState `json:"layers"`
	Warnings []string              `json:"warnings"` // of the layers

	Activations []string `json:"activations,omitempty"` // of blocks, where they are not ReLU in all slots
}

// activationsOf lists those of any slot; none where all have but ReLU.
func activationsOf(sp *space.Space) (names []string) {
	for _, act := range space.Activations() {
		if slices.ContainsFunc(sp.Slots, func(s space.Slot) bool { return slices.Contains(s.Choices(), act) }) {
			names = append(names, act.String())
		}
	}
	if slices.Equal(names, []string{space.ReLU.String()}) {
		return nil
	}
	return names
}

func (a *app) supernetShowCmd() *cobra.Command {
	var genome, images string
	megapixels := 0
	c := &cobra.Command{
		Use:   "show SUPERNET",
		Short: "What a supernet offers, where it comes from and what its layers look like",
		Long: "Prints what a supernet offers and what is known of it, and looks into a network: for every\n" +
			"layer the share of its values above zero behind an activation, the channels that are dead,\n" +
			"which no picture brings above zero, the norm of its weights and the part that it is of an\n" +
			"untrained layer's, and the effective rank of its weights as a matrix of a row for each\n" +
			"channel. docs/formats.md says what --json gives.",
		Example: "  evosr supernet show runs/quickstart\n" +
			"  evosr supernet show pretrained:x2 --genome 'w16;head;plain2;plain1;skip;skip;skip;skip;skip;skip;tail'",
		Args: arguments("SUPERNET"),
		RunE: func(c *cobra.Command, args []string) error {
			net, meta, err := openSupernet(args[0])
			if err != nil {
				return err
			}
			best, err := net.Best(meta)
			if err != nil {
				return dataf("%s: its best network: %w", args[0], err)
			}
			shown := best
			if genome != "" {
				if shown, err = net.Best(map[string]string{supernet.NoteGenome: genome}); err != nil {
					return usagef("--genome: %w", err)
				}
			}
			drawn, err := space.ParseGenome(shown.Genome)
			if err != nil {
				return err
			}
			layers, err := a.look(c.Context(), net, drawn, images, limits(megapixels))
			if err != nil {
				return err
			}
			sp := net.Space
			macs, _ := best.MACs()
			s := supernetJSON{
				Scale: sp.Scale, Colors: sp.Colors, Widths: sp.Widths, Slots: len(sp.Slots), Schemes: []string{}, Percents: sp.Percents,
				Splits: append([]int{}, net.Partitions.Borders...), Apart: append([]int{}, net.Partitions.Pruned...), Weights: net.Weights(),
				Best: best.Genome, Params: best.Params(), MACs: macs, Hash: net.Hash(), Meta: meta,
				Network: shown.Genome, Layers: layers, Warnings: warningsOf(layers), Activations: activationsOf(sp),
			}
			for _, x := range sp.Schemes {
				s.Schemes = append(s.Schemes, x.String())
			}
			if a.json {
				return a.printJSON(s)
			}
			return a.printSupernet(&s)
		},
	}
	c.Flags().StringVar(&genome, "genome", "", "the network to look into; empty: the supernet's best dense one")
	c.Flags().StringVar(&images, "images", "", "folder of high-resolution pictures to look at (default a few procedural ones)")
	megapixelsFlag(c, &megapixels)
	return a.jsonFlag(c)
}

func (a *app) printSupernet(s *supernetJSON) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "scale\t%d\n", s.Scale)
	fmt.Fprintf(w, "widths\t%v\n", s.Widths)
	fmt.Fprintf(w, "slots\t%d\n", s.Slots)
	if len(s.Activations) > 0 {
		fmt.Fprintf(w, "activations\t%s\n", strings.Join(s.Activations, " "))
	}
	fmt.Fprintf(w, "schemes\t%s\n", strings.Join(s.Schemes, " "))
	fmt.Fprintf(w, "ratios\t%v %%\n", s.Percents)
	if n := 1 + len(s.Splits) + len(s.Apart); n > 1 {
		fmt.Fprintf(w, "partitions\t%d, split at %v multiplications a pixel\n", n, s.Splits)
	}
	for i, x := range s.Apart {
		fmt.Fprintf(w, "\tpartition %d is what is pruned of partition %d\n", len(s.Splits)+2+i, x)
	}
	fmt.Fprintf(w, "weights\t%d\n", s.Weights)
	fmt.Fprintf(w, "best\t%s\n\t%d parameters, %d multiplications a pixel\n", s.Best, s.Params, s.MACs)
	fmt.Fprintf(w, "hash\t%s\n", s.Hash)
	for _, k := range slices.Sorted(maps.Keys(s.Meta)) {
		fmt.Fprintf(w, "%s\t%s\n", k, s.Meta[k])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nlayers of %s\n", s.Network)
	return a.printLayers(s.Layers, false)
}

func (a *app) supernetExtractCmd() *cobra.Command {
	var out, genome, config string
	var refit bool
	c := &cobra.Command{
		Use:   "extract SUPERNET -o FILE.onnx",
		Short: "Cut a network out, with the weights that it inherits",
		Long: "Writes the network of a genome as an ONNX file: inherited weights, pruned by what the\n" +
			"genome says, nothing fine-tuned. Where all slots are alike, skipped ones are moved\n" +
			"behind the others. With --refit it is what a search scores: the last layer is refitted\n" +
			"to pictures, in closed form. These and how many are a run's own; for another SUPERNET\n" +
			"they are those of --config.",
		Example: "  evosr supernet extract pretrained:x2 -o best.onnx\n" +
			"  evosr supernet extract pretrained:x2 --genome 'w16;head;plain2=block4@75,block4@75;plain1;skip;skip;skip;skip;skip;skip;tail' -o net.onnx --refit",
		Args: arguments("SUPERNET"),
		RunE: func(c *cobra.Command, args []string) error {
			net, meta, err := openSupernetFor(out, args[0])
			if err != nil {
				return err
			}
			what := "its best network"
			if genome != "" {
				meta[supernet.NoteGenome], what = genome, "--genome"
			}
			sub, err := net.Best(meta)
			if err != nil {
				return usagef("%s: %w", what, err)
			}
			switch {
			case refit:
				if sub, err = a.refit(c.Context(), sub, args[0], config, net); err != nil {
					return err
				}
			case config != "":
				return usagef("--config says how to --refit, which is not asked for")
			}
			notes := map[string]string{"evosr_version": runner.Version, "genome": sub.Genome, "supernet_hash": net.Hash()}
			if err := writeWhole(out, func(w io.Writer) error { return onnx.Export(w, sub, onnx.ExportOptions{Meta: notes}) }); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s: %d parameters\n", out, sub.Params())
			return err
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write")
	c.Flags().StringVar(&genome, "genome", "", "the network; empty: the supernet's best dense one")
	c.Flags().BoolVar(&refit, "refit", false, "refit the last layer as a search does")
	c.Flags().StringVar(&config, "config", "", "config whose data.train and search.refit count (default the run's, or quickstart)")
	return c
}

// refit refits a network of a supernet as a search of its config does.
func (a *app) refit(ctx context.Context, sub *network.Graph, name, config string, net *supernet.Supernet) (*network.Graph, error) {
	cfg, _, err := configOf(name, config, net)
	if err != nil {
		return nil, err
	}
	m := a.meter()
	defer m.close()
	return runner.Refit(ctx, sub, cfg, func(p runner.Progress) { m.set(beatOf(p)) })
}

func (a *app) supernetExportCmd() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:     "export SUPERNET -o FILE.safetensors",
		Short:   "Write the weights for another program",
		Example: "  evosr supernet export pretrained:x2 -o x2.safetensors",
		Args:    arguments("SUPERNET"),
		RunE: func(_ *cobra.Command, args []string) error {
			net, meta, err := openSupernetFor(out, args[0])
			if err != nil {
				return err
			}
			if err := writeSupernet(out, net, meta, false); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, out)
			return err
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write")
	return c
}

func (a *app) supernetImportCmd() *cobra.Command {
	var out string
	var compact bool
	var notes []string
	c := &cobra.Command{
		Use:   "import FILE.safetensors -o FILE",
		Short: "Take in weights that another program trained",
		Long: "Reads FILE, float32 or float16, holds it against the space in its metadata, and writes\n" +
			"it as evosr's own: a safetensors file with a checksum, which train.from names, or with\n" +
			"--pretrained the compact float16 form that the binary carries.",
		Example: "  evosr supernet import trained.safetensors -o mine.safetensors\n" +
			"  evosr supernet import trained.safetensors --pretrained --note steps=100000 -o x2.evon",
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			net, meta, err := openSupernetFor(out, args[0])
			if err != nil {
				return err
			}
			for _, n := range notes {
				k, v, ok := strings.Cut(n, "=")
				if !ok || k == "" {
					return usagef("--note %q, want KEY=VALUE", n)
				}
				if meta[k] = v; v == "" {
					delete(meta, k)
				}
			}
			if _, err := net.Best(meta); err != nil {
				return usagef("its best network: %w", err)
			}
			if err := writeSupernet(out, net, meta, compact); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, out)
			return err
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write")
	c.Flags().BoolVar(&compact, "pretrained", false, "write the compact form")
	c.Flags().StringArrayVar(&notes, "note", nil, "KEY=VALUE to keep beside the weights, such as data, steps, hours, tool, genome; an empty VALUE removes one; may be repeated")
	return c
}

// writeSupernet writes weights with what is known of them.
func writeSupernet(path string, net *supernet.Supernet, meta map[string]string, compact bool) error {
	return writeWhole(path, func(w io.Writer) error {
		if compact {
			return net.EncodeCompact(w, meta)
		}
		return net.Encode(w, meta)
	})
}
