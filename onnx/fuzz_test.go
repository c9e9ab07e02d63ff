package onnx

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzDecode asks of any bytes: an error, or a network that is valid; one such as
// evosr's own must survive a round trip, node by node.
func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4)) // each worker shall have the same seeds
	for _, o := range []ExportOptions{{}, {Opset: 18, Width: 3, Height: 2}, {Width: 3, Height: 2, Portable: true}} {
		f.Add(export(f, netOf(f, rng, "w4;head=unstructured@90;wide1;plain1;lean;tail", 2, 1), o))
		f.Add(export(f, netOf(f, rng, "w4;head;skip;tail", 3, 3), o))
	}
	for _, b := range badFiles(f) {
		f.Add(b.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			return
		}
		net, err := m.Graph(ImportOptions{})
		if err != nil {
			return
		}
		if err := net.Validate(); err != nil {
			t.Fatalf("a network that is none: %v", err)
		}
		if portable(net) != nil {
			return
		}
		again, _, err := Read(bytes.NewReader(export(t, net, ExportOptions{})))
		if err != nil {
			t.Fatal(err)
		}
		sameNet(t, again, net)
	})
}

// FuzzGraph asks of any bytes: an error, or a graph that is valid, that runs, and
// that comes back from a file as one that computes the same.
func FuzzGraph(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range importCases() {
		m := newMaker(rng, c.sets[len(c.sets)-1], c.colors, c.h, c.w)
		f.Add(m.file(c.build(m)))
	}
	for _, c := range refusedCases() {
		m := newMaker(rng, c.set, 1, 0, 0)
		c.build(m)
		f.Add(m.file(makerIn))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		m, err := Decode(data)
		if err != nil {
			return
		}
		g, err := m.Graph(ImportOptions{})
		if d := time.Since(start); d > time.Second && len(data) < 1<<20 {
			t.Fatalf("%d bytes take %v", len(data), d)
		}
		if err != nil {
			return
		}
		if err := g.Validate(); err != nil {
			t.Fatalf("a graph that is none: %v", err)
		}
		if _, dense := g.MACs(); dense > 1<<16 {
			return // too slow to run by definition
		}
		src := make([]float32, g.Colors*8*7)
		for i := range src {
			src[i] = float32(i%7) / 7
		}
		want, err := g.Reference(src, 8, 7)
		if err != nil {
			return // of other sizes only
		}
		var b bytes.Buffer
		if err := Export(&b, g.Eliminate(), ExportOptions{}); err != nil {
			t.Fatal(err)
		}
		m, err = Decode(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		again, err := m.Graph(ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Reference(src, 8, 7)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if d := math.Abs(float64(got[i] - w)); !(d <= 1e-3*(1+math.Abs(float64(w)))) && w-w == 0 {
				t.Fatalf("value %d is %v, written and read again %v", i, w, got[i])
			}
		}
	})
}
