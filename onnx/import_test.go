package onnx

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"evosr/internal/check"
)

// TestImport runs networks of other hands as graphs: by definition, in evosr's
// runtime, and in ONNX Runtime where that is installed.
func TestImport(t *testing.T) {
	rng := check.Rand(t)
	dir := t.TempDir()
	var runs []job
	for _, c := range importCases() {
		for _, set := range c.sets {
			name := fmt.Sprintf("%s, opset %d", c.name, set)
			m := newMaker(rng, set, c.colors, c.h, c.w)
			data := m.file(c.build(m))
			g, err := graphOf(data, ImportOptions{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			path := filepath.Join(dir, fmt.Sprintf("%d.onnx", len(runs)))
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			sizes := [][2]int{{16 + rng.IntN(12), 16 + rng.IntN(12)}, {24, 17}}
			if c.h > 0 {
				sizes = [][2]int{{c.w, c.h}}
			}
			for _, s := range sizes {
				j := job{name: name, scale: g.Scale, colors: c.colors, model: path, w: s[0], h: s[1], src: picture(rng, c.colors, s[0], s[1])}
				j.out = filepath.Join(dir, fmt.Sprintf("%d.out", len(runs)))
				want, err := g.Reference(j.src, j.w, j.h)
				if err != nil {
					t.Errorf("%s, %dx%d: %v", name, j.w, j.h, err)
					continue
				}
				for _, v := range want {
					j.want = append(j.want, float64(v))
				}
				j.last = m.graph.inputs[0].dims[3].value == int64(c.colors) && c.w == 0
				inRuntime(t, j)
				runs = append(runs, j)
			}
		}
	}
	if !t.Failed() {
		inONNXRuntime(t, runs)
	}
}

// TestRange wants pictures multiplied on the way in and divided on the way out.
func TestRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	m := newMaker(rng, 13, 1, 0, 0)
	v := m.op("Add", []string{m.double(makerIn, 1), m.scalar(51)})
	data := m.file(v)
	g, err := graphOf(data, ImportOptions{Range: 255})
	if err != nil {
		t.Fatal(err)
	}
	one, err := graphOf(data, ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	src := picture(rng, 1, 6, 5)
	got, err := g.Reference(src, 6, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i := range src {
		src[i] *= 255
	}
	want, err := one.Reference(src, 6, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i] /= 255
	}
	check.Close(t, got, want, 1e-5)
	if _, err := graphOf(data, ImportOptions{Range: -1}); err == nil {
		t.Error("a negative range passes")
	}
}
