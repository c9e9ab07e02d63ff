package onnx

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// FuzzDecode asks of any bytes: an error, or a model that says the same when it
// is asked again; a network that was recognised must survive a round trip.
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
		net, err := m.Subnet()
		if err != nil {
			return
		}
		if err := net.Validate(); err != nil {
			t.Fatalf("a network that is none: %v", err)
		}
		again, _, err := Read(bytes.NewReader(export(t, net, ExportOptions{})))
		if err != nil {
			t.Fatal(err)
		}
		sameNet(t, again, net)
	})
}
