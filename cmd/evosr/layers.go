package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"evosr/imaging"
	"evosr/space"
	"evosr/supernet"
)

// Procedural pictures on which supernet show looks into a network: drawn and
// looked at in about half a second.
const (
	shownPictures = 6
	shownSide     = 192 // of high resolution, pixels
	shownSeed     = 1
	leastShown    = 8 // low-resolution pixels that a picture of a folder has a side
)

// look looks into the network of a genome, on the pictures of a folder, reduced by
// the network's scale, or on procedural ones.
func (a *app) look(ctx context.Context, net *supernet.Supernet, g space.Genome, folder string, l imaging.Limits) ([]supernet.LayerState, error) {
	scale := net.Space.Scale
	var pictures []*imaging.Plane
	if folder == "" {
		drawn, err := imaging.ProceduralSet(ctx, shownSeed, shownPictures, shownSide, 0)
		if err != nil {
			return nil, err
		}
		for _, p := range drawn {
			pictures = append(pictures, imaging.NewPair("", p, scale).LR)
		}
	} else {
		paths, err := imaging.List(folder)
		if err != nil {
			return nil, dataf("%w", err)
		}
		for _, path := range paths {
			p, err := imaging.Open(path, l)
			if err != nil {
				return nil, dataf("%w", err)
			}
			if least := leastShown * scale; p.Y.W < least || p.Y.H < least {
				return nil, dataf("%s: %dx%d pixels, want at least %d a side", path, p.Y.W, p.Y.H, least)
			}
			pictures = append(pictures, imaging.NewPair("", p.Luma(), scale).LR)
		}
	}
	layers, err := net.Examine(g, pictures)
	if err != nil {
		return nil, dataf("%w", err)
	}
	return layers, nil
}

// warningsOf is the sentences of supernet.Warnings.
func warningsOf(layers []supernet.LayerState) []string {
	list := []string{}
	for _, w := range supernet.Warnings(layers) {
		list = append(list, w.Text)
	}
	return list
}

// printLayers prints a row for each layer, and what is wrong with them. Only
// training knows updates.
func (a *app) printLayers(layers []supernet.LayerState, training bool) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	row := func(cells ...string) {
		if training {
			fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
		} else {
			fmt.Fprintln(w, strings.Join(cells[:len(cells)-1], "\t")+"\t")
		}
	}
	row("layer", "channels", "active", "dead", "norm", "of start", "rank", "of", "update")
	for i := range layers {
		r := layers[i].Row()
		row(r.Name, r.Channels, r.Active, r.Dead, r.Norm, r.Growth, r.Rank, r.FullRank, r.Update)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printWarnings(a.out, warningsOf(layers))
}

func printWarnings(w io.Writer, list []string) error {
	for _, text := range list {
		if _, err := fmt.Fprintf(w, "warning: %s\n", text); err != nil {
			return err
		}
	}
	return nil
}
