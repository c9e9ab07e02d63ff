package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evosr/imaging"
	"evosr/internal/whole"
)

func (a *app) dataCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Look at picture folders",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("data: want a command; see evosr data --help")
		},
	}
	c.AddCommand(a.dataCheckCmd(), a.dataDrawCmd())
	return c
}

// dataDrawCmd writes the pictures that the word procedural stands for.
func (a *app) dataDrawCmd() *cobra.Command {
	var count, size int
	var seed uint64
	c := &cobra.Command{
		Use:   "draw DIR",
		Short: "Write procedural pictures as PNG files",
		Long: "Writes procedural pictures, which evosr trains on where it is given no photographs: to look at\n" +
			"them, or to train on them beside photographs in one folder.",
		Example: "  evosr data draw pictures/ --count 200 --size 384",
		Args:    arguments("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return dataf("%w", err)
			}
			m := a.meter()
			defer m.close()
			for i := range count {
				if err := c.Context().Err(); err != nil {
					return err
				}
				name := filepath.Join(args[0], fmt.Sprintf("procedural%04d.png", i+1))
				m.set(beat{stage: "draw", message: filepath.Base(name), done: float64(i), total: float64(count)})
				err := whole.Write(name, 0o644, func(w io.Writer) error {
					return imaging.EncodePNG(w, &imaging.Picture{Y: imaging.Procedural(seed, i, size)})
				})
				if err != nil {
					return dataf("%w", err)
				}
			}
			return nil
		},
	}
	numberFlag(c, &count, "count", 1, 100_000, 16, "pictures")
	numberFlag(c, &size, "size", imaging.MinProceduralSize, imaging.MaxProceduralSize, 384, "side, pixels")
	c.Flags().Uint64Var(&seed, "seed", 1, "of the series of pictures")
	return c
}

// pictureCheck is one picture in the output of data check.
type pictureCheck struct {
	Path      string `json:"path"`
	Width     int    `json:"width,omitempty"`
	Height    int    `json:"height,omitempty"`
	Kind      string `json:"kind,omitempty"` // grey or colour, with alpha or not
	Fault     string `json:"fault,omitempty"`
	Duplicate string `json:"duplicate_of,omitempty"`
}

type dataReport struct {
	Pictures   []pictureCheck `json:"pictures"`
	Megapixels float64        `json:"megapixels"`
	Faults     int            `json:"faults"`
	Duplicates int            `json:"duplicates"`
}

func (a *app) dataCheckCmd() *cobra.Command {
	var megapixels int
	c := &cobra.Command{
		Use:   "check DIR [VALIDATION]",
		Short: "Decode every picture; sizes, faults, duplicates",
		Long: "Decodes every picture of DIR, and of a second folder where one is given, and says\n" +
			"which are broken and which show the same luma twice, across both folders.",
		Example: "  evosr data check photos/\n  evosr data check train/ validation/",
		Args:    arguments("DIR", "[VALIDATION]"),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := a.checkData(c.Context(), args, limits(megapixels))
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				err = a.printData(r)
			}
			if err == nil && r.Faults > 0 {
				return dataf("%d of %d pictures cannot be used", r.Faults, len(r.Pictures))
			}
			return err
		},
	}
	megapixelsFlag(c, &megapixels)
	return a.jsonFlag(c)
}

func (a *app) checkData(ctx context.Context, folders []string, l imaging.Limits) (*dataReport, error) {
	var paths []string
	for _, f := range folders {
		list, err := imaging.List(f)
		if err != nil {
			return nil, dataf("%w", err)
		}
		paths = append(paths, list...)
	}
	r := &dataReport{Pictures: []pictureCheck{}}
	seen := map[string]string{} // luma -> path
	m := a.meter()
	defer m.close()
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.set(beat{stage: "check", message: filepath.Base(path), done: float64(i), total: float64(len(paths))})
		c := pictureCheck{Path: path}
		p, err := imaging.Open(path, l)
		if err != nil {
			c.Fault = raise(err).Error()
			r.Faults++
			r.Pictures = append(r.Pictures, c)
			continue
		}
		c.Width, c.Height, c.Kind = p.Y.W, p.Y.H, kindOf(p)
		r.Megapixels += float64(p.Y.W*p.Y.H) / 1e6
		key := fingerprint(p.Luma())
		if first, ok := seen[key]; ok {
			c.Duplicate = first
			r.Duplicates++
		} else {
			seen[key] = path
		}
		r.Pictures = append(r.Pictures, c)
	}
	return r, nil
}

func kindOf(p *imaging.Picture) string {
	kind := "colour"
	if p.Cb == nil {
		kind = "grey"
	}
	if p.Alpha != nil {
		kind += " with alpha"
	}
	return kind
}

// fingerprint is equal for planes of equal size and codes.
func fingerprint(p *imaging.Plane) string {
	h := fnv.New128a()
	row := make([]byte, p.W)
	for y := range p.H {
		for x, v := range p.Row(y) {
			row[x] = imaging.Code(v)
		}
		h.Write(row)
	}
	return fmt.Sprintf("%dx%d:%x", p.W, p.H, h.Sum(nil))
}

func (a *app) printData(r *dataReport) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	for _, p := range r.Pictures {
		note := ""
		switch {
		case p.Fault != "":
			fmt.Fprintf(w, "%s\tbroken\t%s\n", p.Path, p.Fault)
			continue
		case p.Duplicate != "":
			note = "same as " + p.Duplicate
		}
		fmt.Fprintf(w, "%s\t%dx%d %s\t%s\n", p.Path, p.Width, p.Height, p.Kind, note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s, %.1f megapixels, %s, %s\n", plural(len(r.Pictures), "picture"), r.Megapixels, plural(r.Faults, "fault"), plural(r.Duplicates, "duplicate"))
	return err
}

func joined(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
