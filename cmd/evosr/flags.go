package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"evosr/imaging"
	"evosr/network"
)

// bounded is a whole number within [lo, hi] on the command line.
type bounded struct {
	value  *int
	lo, hi int
}

func (b bounded) String() string {
	if b.value == nil {
		return "0"
	}
	return strconv.Itoa(*b.value)
}

func (b bounded) Type() string { return "int" }

func (b bounded) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < b.lo || n > b.hi {
		return fmt.Errorf("want a whole number from %d to %d", b.lo, b.hi)
	}
	*b.value = n
	return nil
}

func numberFlag(c *cobra.Command, to *int, name string, lo, hi, preset int, usage string) {
	*to = preset
	c.Flags().Var(bounded{to, lo, hi}, name, usage)
}

// ratio is a pruned part on the command line, in whole percents: 0.75 as in a
// config, or 75.
type ratio struct{ percent *int }

func (r ratio) Type() string { return "float" }

func (r ratio) String() string {
	if r.percent == nil {
		return "0"
	}
	return strconv.FormatFloat(float64(*r.percent)/100, 'g', -1, 64)
}

func (r ratio) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if x > 0 && x < 1 {
		x *= 100
	}
	n := math.Round(x)
	if err != nil || !(math.Abs(n-x) < 1e-6) || n < 1 || n > network.MaxPercent {
		return fmt.Errorf("want whole percents up to %d, such as 0.75 or 75", network.MaxPercent)
	}
	*r.percent = int(n)
	return nil
}

func scaleFlag(c *cobra.Command, to *int) {
	numberFlag(c, to, "scale", 2, 4, 0, "enlargement, 2 to 4 (default the model's own; bicubic needs it)")
	c.Flags().Lookup("scale").DefValue = ""
}

func threadsFlag(c *cobra.Command, to *int) {
	numberFlag(c, to, "threads", 1, 1024, 0, "threads (default every core)")
	c.Flags().Lookup("threads").DefValue = ""
}

func megapixelsFlag(c *cobra.Command, to *int) {
	numberFlag(c, to, "max-megapixels", 1, 4096, 64, "larger pictures are refused")
}

func limits(megapixels int) imaging.Limits { return imaging.Limits{MaxPixels: megapixels * 1_000_000} }

// size is a WxH on the command line.
type size struct{ w, h int }

func (s *size) String() string { return fmt.Sprintf("%dx%d", s.w, s.h) }
func (s *size) Type() string   { return "WxH" }

func (s *size) Set(text string) error {
	a, b, ok := strings.Cut(strings.ToLower(text), "x")
	w, errW := strconv.Atoi(a)
	h, errH := strconv.Atoi(b)
	if !ok || errW != nil || errH != nil || w < 1 || h < 1 || w > 16384 || h > 16384 {
		return fmt.Errorf("want WIDTHxHEIGHT in pixels, such as 320x180, each 1 to 16384")
	}
	s.w, s.h = w, h
	return nil
}

// arguments wants the named ones, those in brackets at will, and says which.
func arguments(names ...string) cobra.PositionalArgs {
	least := 0
	for _, name := range names {
		if !strings.HasPrefix(name, "[") {
			least++
		}
	}
	return func(_ *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= len(names) {
			return nil
		}
		if len(names) == 0 {
			return fmt.Errorf("%s, want none", plural(len(args), "argument"))
		}
		return fmt.Errorf("%s, want %s", plural(len(args), "argument"), strings.Join(names, " "))
	}
}

// plural counts things whose name takes an s.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
