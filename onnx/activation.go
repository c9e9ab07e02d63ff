package onnx

import (
	"fmt"
	"slices"

	"evosr/network"
)

// activate appends what follows a layer's sum, src, and makes the layer's value.
//
// The portable form has no PRelu, which onnx-go does not know: it is Relu(x) less
// slope times Relu(-x), of which one term is zero, so that the result is exact.
func (b *builder) activate(l *network.Layer, src, value string) error {
	step := func(name, op string, inputs ...string) string {
		out := fresh(b.valueNames, l.Name+"/"+name)
		b.add(l.Name+"/"+name, op, inputs, out)
		return out
	}
	switch l.Act {
	case network.ActNone:
		return nil
	case network.ActReLU:
		b.add(l.Name+"/relu", "Relu", []string{src}, value)
		return nil
	case network.ActSiLU:
		b.add(l.Name+"/silu", "Mul", []string{src, step("sigmoid", "Sigmoid", src)}, value)
		return nil
	case network.ActPReLU:
		if o := notFinite(l.Slope); o >= 0 {
			return fmt.Errorf("slope %d is %v, want a finite number", o, l.Slope[o])
		}
		if slices.Max(l.Slope) == slices.Min(l.Slope) {
			b.add(l.Name+"/leaky", "LeakyRelu", []string{src}, value, floatAttr("alpha", l.Slope[0]))
			return nil
		}
		slope := b.constant(floatTensor(l.Name+"/slope", l.Slope, int64(l.Out), 1, 1))
		if !b.portable {
			b.add(l.Name+"/prelu", "PRelu", []string{src, slope}, value)
			return nil
		}
		negative := step("negative", "Relu", step("negated", "Neg", src))
		b.add(l.Name+"/prelu", "Sub", []string{step("positive", "Relu", src), step("sloped", "Mul", negative, slope)}, value)
		return nil
	}
	return fmt.Errorf("activation %v, want none, relu, prelu or silu", l.Act)
}

// activated ends a layer. alone says that nothing but its activation reads the
// values before it.
func (r *recogniser) activated(n *node, v traced, alone bool, act network.Act, slope []float32) (traced, error) {
	switch {
	case v.kind != layerValue:
		return traced{}, r.bad(n, "reads no layer, want a Conv or an Add before")
	case v.stage == doneStage && act == network.ActReLU && r.layers[v.layer].Act == network.ActReLU:
		return v, nil // twice is once
	case v.stage == doneStage:
		return traced{}, r.bad(n, "reads a layer that has an activation, want a Conv or an Add before")
	case !alone:
		return traced{}, r.bad(n, fmt.Sprintf("reads a layer whose values before the %s are read elsewhere too", n.op))
	}
	l := &r.layers[v.layer]
	l.Act, l.Slope, l.last = act, slope, r.at
	l.Learned = act == network.ActPReLU && slices.Max(slope) > slices.Min(slope)
	v.stage, v.sole = doneStage, true
	return v, nil
}

func (r *recogniser) relu(n *node, v traced) (traced, error) {
	switch {
	case v.kind == negatedValue:
		return r.step(n, v, negatedValue, negativeValue)
	case v.kind == layerValue && r.negated[n.inputs[0]]:
		return r.step(n, v, layerValue, positiveValue)
	}
	return r.activated(n, v, v.sole, network.ActReLU, nil)
}

// leakyRelu has one slope for all channels.
func (r *recogniser) leakyRelu(n *node, v traced) (traced, error) {
	if v.kind != layerValue {
		return traced{}, r.bad(n, "reads no layer, want a Conv or an Add before")
	}
	out := r.layers[v.layer].Out
	if err := r.mem.take(out, 4, "slopes"); err != nil {
		return traced{}, r.bad(n, err.Error())
	}
	alpha := n.fraction("alpha", 0.01)
	if notFinite([]float32{alpha}) >= 0 {
		return traced{}, r.bad(n, fmt.Sprintf("has alpha %v, want a finite number", alpha))
	}
	return r.activated(n, v, v.sole, network.ActPReLU, slices.Repeat([]float32{alpha}, out))
}

func (r *recogniser) prelu(n *node, v traced) (traced, error) {
	if v.kind != layerValue {
		return traced{}, r.bad(n, "reads no layer, want a Conv or an Add before")
	}
	slope, err := r.slopes(n, 1, v.layer)
	if err != nil {
		return traced{}, err
	}
	return r.activated(n, v, v.sole, network.ActPReLU, slope)
}

// slopes gives input i of a node, one for each channel of a layer.
func (r *recogniser) slopes(n *node, i, layer int) ([]float32, error) {
	slope, err := r.floats(n, i)
	if err != nil {
		return nil, err
	}
	out := r.layers[layer].Out
	d := r.constants[n.inputs[i]].dims
	if len(d) == 4 && d[0] == 1 {
		d = d[1:]
	}
	if !slices.Equal(d, []int64{int64(out), 1, 1}) {
		return nil, r.bad(n, fmt.Sprintf("has slopes %s, want [%d 1 1]", few(d), out))
	}
	return slope, nil
}

// step is one node of an activation that is several: the last of them holds all to
// the layer that they were made of.
func (r *recogniser) step(n *node, v traced, from, to valueKind) (traced, error) {
	switch {
	case v.kind != from || from == layerValue && v.stage == doneStage || from != layerValue && !v.sole:
		return traced{}, r.bad(n, noActivation)
	case from == layerValue:
		v.ofTwo = v.lone && v.readers == 2
	}
	v.kind, v.sole = to, true
	return v, nil
}

const noActivation = "is no part of an activation of these networks: ReLU, PReLU, LeakyReLU or SiLU"

// mul is the end of SiLU, x*sigmoid(x), or the slopes of a portable PReLU.
func (r *recogniser) mul(n *node) (traced, error) {
	if len(n.inputs) != 2 {
		return traced{}, r.bad(n, noActivation)
	}
	for side, name := range n.inputs {
		switch r.values[name].kind {
		case negativeValue:
			v, err := r.read(n, side)
			if err != nil {
				return traced{}, err
			}
			slope, err := r.slopes(n, 1-side, v.layer)
			if err != nil {
				return traced{}, err
			}
			v, err = r.step(n, v, negativeValue, slopedValue)
			v.slope = slope
			return v, err
		case sigmoidValue:
			gate, err := r.read(n, side)
			if err != nil {
				return traced{}, err
			}
			x, err := r.read(n, 1-side)
			if err != nil {
				return traced{}, err
			}
			if x.kind == layerValue && x.layer == gate.layer && x.stage == gate.stage && gate.sole {
				return r.activated(n, x, x.lone && x.readers == 2, network.ActSiLU, nil)
			}
		}
	}
	return traced{}, r.bad(n, noActivation)
}

// sub is the end of a portable PReLU.
func (r *recogniser) sub(n *node) (traced, error) {
	a, err := r.read(n, 0)
	if err != nil {
		return traced{}, err
	}
	b, err := r.read(n, 1)
	if err != nil {
		return traced{}, err
	}
	if a.kind != positiveValue || b.kind != slopedValue || a.layer != b.layer || a.stage != b.stage || !a.sole || !b.sole {
		return traced{}, r.bad(n, noActivation)
	}
	a.kind = layerValue
	return r.activated(n, a, a.ofTwo && b.ofTwo, network.ActPReLU, b.slope)
}
