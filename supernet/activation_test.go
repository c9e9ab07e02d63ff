package supernet

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
)

// bentSpace has a slot for every kind of block, all with the activations.
func bentSpace(acts ...space.Activation) *space.Space {
	return &space.Space{Scale: 2, Colors: 1, Widths: []int{8}, Schemes: []network.Scheme{network.Block4}, Percents: []int{50},
		Slots: []space.Slot{{Blocks: space.Blocks{space.Wide: {2}}, Activations: acts}, {Blocks: space.Blocks{space.Plain: {2}}, Activations: acts}, {Skip: true, Blocks: space.Blocks{space.Lean: space.Once()}, Activations: acts}}}
}

// TestActivationsLearn trains, fine-tunes and refits networks of every activation.
func TestActivationsLearn(t *testing.T) {
	for _, act := range space.Activations() {
		t.Run(act.String(), func(t *testing.T) {
			start := New(bentSpace(act), 1)
			tr, err := NewTrainer(start, waves{2, 1}, Options{Steps: 200, Batch: 4, Patch: 16, Subnets: 1, Rate: 5e-3, Distill: 0.3, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			run(t, tr, 200)
			after := tr.Averaged()
			g := start.Space.Largest()
			gain := 10 * math.Log10(meanSquare(t, start, g)/meanSquare(t, after, g))
			if t.Logf("%.2f dB over the start", gain); !(gain > 3) {
				t.Errorf("%.2f dB over the start, want more than 3", gain)
			}
			net, err := after.Extract(g)
			if err != nil {
				t.Fatal(err)
			}
			begin, learned := act.Slope()
			moved := func(net *network.Graph) (moved bool) {
				for i := range mustLayers(net).list {
					for _, v := range mustLayers(net).list[i].slope {
						moved = moved || v != begin
						if !(v >= leastSlope*(1-1e-6)) {
							t.Errorf("slope %v, want at least %v", v, leastSlope)
						}
					}
				}
				return moved
			}
			if got := moved(net); got != learned {
				t.Errorf("slopes moved: %v, want %v", got, learned)
			}
			tuned, err := FineTune(t.Context(), net, nil, waves{2, 1}, nil, FineTuneOptions{Steps: 10, Batch: 2, Patch: 16, Rate: 1e-3})
			if err != nil {
				t.Fatal(err)
			}
			if got := moved(tuned); got != learned || tuned.Validate() != nil {
				t.Errorf("fine-tuned, slopes moved: %v, want %v", got, learned)
			}
			f, err := NewRefit(waves{2, 1}, 2, 1, RefitOptions{Count: 4, Patch: 16})
			if err != nil {
				t.Fatal(err)
			}
			tail := &mustLayers(tuned).list[len(mustLayers(tuned).list)-1]
			for i := range tail.weights {
				tail.weights[i] /= 2 // something to take back
			}
			refitted, err := f.Net(tuned)
			if err != nil || slices.Equal(mustLayers(refitted).list[len(mustLayers(tuned).list)-1].weights, tail.weights) {
				t.Errorf("the refit changed nothing (%v)", err)
			}
		})
	}
}

// TestSlopesStayPositive pushes slopes down harder than any training does.
func TestSlopesStayPositive(t *testing.T) {
	s := New(bentSpace(space.PReLU), 1)
	tr, err := NewTrainer(s, waves{2, 1}, Options{Steps: 40, Batch: 1, Patch: 8, Rate: 1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	o := &tr.engine.opt
	for i := range o.reached {
		o.reached[i] = true
	}
	least := math.Inf(1)
	for range 30 {
		for i := range o.grad {
			o.grad[i] = 1e-3
		}
		o.update(1, 1, 0.9)
		for i := range o.bank.tensors {
			for _, v := range o.bank.slope(&o.bank.tensors[i]) {
				least = min(least, float64(v))
			}
		}
	}
	if least != float64(float32(leastSlope)) {
		t.Errorf("the least slope is %v, want %v", least, leastSlope)
	}
}

// TestActivationNames: ReLU's tensors have the names of before there was a choice,
// and a space that names ReLU is written as one that does not.
func TestActivationNames(t *testing.T) {
	names := func(sp *space.Space) (list []string) {
		for _, x := range New(sp, 1).bank.stored("", New(sp, 1).bank.data) {
			list = append(list, x.name)
		}
		return list
	}
	plain := &space.Space{Scale: 2, Colors: 1, Widths: []int{8}, Slots: []space.Slot{{Blocks: space.Blocks{space.Plain: {1}}}}}
	with := func(acts ...space.Activation) *space.Space {
		sp := *plain
		sp.Slots = []space.Slot{{Blocks: space.Blocks{space.Plain: {1}}, Activations: acts}}
		return &sp
	}
	if a, b := New(plain, 1), New(with(space.ReLU), 1); a.Hash() != b.Hash() {
		t.Error("a space that names ReLU is another")
	}
	got := names(with(space.PReLU, space.ReLU, space.Leaky))[6:]
	want := []string{
		"slot1/plain:prelu/conv1.weight", "slot1/plain:prelu/conv1.bias", "slot1/plain:prelu/conv1.slope", "slot1/plain:prelu/conv2.weight", "slot1/plain:prelu/conv2.bias",
		"slot1/plain/conv1.weight", "slot1/plain/conv1.bias", "slot1/plain/conv2.weight", "slot1/plain/conv2.bias",
		"slot1/plain:leaky/conv1.weight", "slot1/plain:leaky/conv1.bias", "slot1/plain:leaky/conv2.weight", "slot1/plain:leaky/conv2.bias",
	}
	if !slices.Equal(got, want) {
		t.Errorf("tensors %q, want %q", got, want)
	}
}

// TestSlopesRefused: no file and no network brings slopes that training cannot
// follow; a network with such may still run.
func TestSlopesRefused(t *testing.T) {
	s := noisy(bentSpace(space.PReLU), 1)
	at := slices.IndexFunc(s.bank.tensors, func(t tensor) bool { return t.learned })
	s.bank.slope(&s.bank.tensors[at])[3] = -0.25
	want := "slope 3 is -0.25, want at least 0.001"
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := s.Save(path, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	var b bytes.Buffer
	if err := s.EncodeCompact(&b, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := DecodeCompact(b.Bytes()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	net, err := s.Extract(s.Space.Largest())
	if err != nil {
		t.Fatal(err)
	}
	_, err = FineTune(context.Background(), net, nil, waves{2, 1}, nil, FineTuneOptions{Steps: 1, Batch: 1, Patch: 8, Rate: 1e-3})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	if _, err := Teach(t.Context(), net, waves{2, 1}, TeachOptions{Count: 1, Patch: 8}); err != nil {
		t.Error(err)
	}
}

// TestSliceActivations: what was trained comes along, slopes too, and nothing else
// is asked for.
func TestSliceActivations(t *testing.T) {
	s := noisy(bentSpace(space.ReLU, space.PReLU), 2)
	small := bentSpace(space.PReLU)
	c, err := s.Slice(small)
	if err != nil {
		t.Fatal(err)
	}
	rng := check.Rand(t)
	g := small.Random(rng)
	a, errA := c.Extract(g)
	b, errB := s.Extract(g)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	for i := range mustLayers(a).list {
		if x, y := &mustLayers(a).list[i], &mustLayers(b).list[i]; !slices.Equal(x.weights, y.weights) || !slices.Equal(x.slope, y.slope) {
			t.Errorf("%s differs", x.name)
		}
	}
	_, err = s.Slice(bentSpace(space.ReLU, space.SiLU))
	if want := "slot 1: activation silu, want one of [relu prelu]"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	trunk := bentSpace(space.PReLU)
	trunk.Slots[0] = space.Slot{Skip: true, Blocks: space.Blocks{space.Wide: {2}}, Activations: []space.Activation{space.PReLU}}
	none := bentSpace(space.PReLU)
	none.Slots[0] = space.Slot{Skip: true, Activations: []space.Activation{space.SiLU}} // of no block
	if _, err := New(trunk, 1).Slice(none); err != nil {
		t.Errorf("an activation of no block: %v", err)
	}
}
