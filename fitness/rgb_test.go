package fitness

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"evosr/imaging"
)

// planes enlarges every one of three planes by bicubic interpolation.
type planes struct{ scale int }

func (p planes) Scale() int  { return p.scale }
func (p planes) Colors() int { return 3 }

func (p planes) Upscale(dst, src []float32, w, h int) error {
	for c := range 3 {
		in := imaging.Plane{W: w, H: h, Pix: src[c*w*h : (c+1)*w*h]}
		copy(dst[c*w*h*p.scale*p.scale:], imaging.Upscale(&in, p.scale).Pix)
	}
	return nil
}

// TestEvaluateRGB holds bicubic interpolation of three planes against that of
// luma: conversion and interpolation change places, so only rounding differs.
func TestEvaluateRGB(t *testing.T) {
	dir := t.TempDir()
	y := imaging.Procedural(1, 0, 96)
	grey := &imaging.Picture{Y: y}
	color := imaging.NewRGB([3]*imaging.Plane{y, imaging.Procedural(1, 1, 96), imaging.Procedural(1, 2, 96)})
	for name, p := range map[string]*imaging.Picture{"grey.png": grey, "color.png": color} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := imaging.EncodePNG(f, p); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := EvaluateFolder(t.Context(), planes{2}, dir, 2, imaging.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	luma, err := EvaluateFolder(t.Context(), nil, dir, 2, imaging.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range s.Images {
		if want := luma.Images[i]; p.Name != want.Name || math.Abs(p.PSNR-want.PSNR) > 0.2 || p.PSNR < 20 {
			t.Errorf("%s: %.3f dB in RGB, %s %.3f dB in luma", p.Name, p.PSNR, want.Name, want.PSNR)
		}
	}
	if _, err := EvaluateFolder(t.Context(), planes{3}, dir, 2, imaging.Limits{}, nil); err == nil {
		t.Error("a model of another scale passes")
	}
}
