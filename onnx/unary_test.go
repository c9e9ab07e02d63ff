package onnx

import (
	"slices"
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// unaryCases are every operator of one value, on values between 0.1 and 0.9, and,
// where it is defined there, on any.
func unaryCases() (list []importCase) {
	positive := []string{"Log", "Sqrt", "Reciprocal", "Asin", "Acos", "Acosh", "Atanh", "Tan"}
	jumps := []string{"Sign", "Floor", "Ceil", "Round", "ThresholdedRelu"} // where half a bit matters
	for _, u := range unaryOps {
		sets := since(max(u.since, 7))
		if u.op == "HardSwish" { // at 14 to 17 ONNX Runtime has another one
			sets = since(18)
		}
		list = append(list, importCase{u.op, 1, sets, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 6, 3)
			if slices.Contains(positive, u.op) || slices.Contains(jumps, u.op) {
				v = m.op("Add", []string{m.op("Mul", []string{m.op("Sigmoid", []string{v}), m.scalar(0.8)}), m.scalar(0.1)})
			}
			if u.op == "Acosh" {
				v = m.op("Add", []string{v, m.scalar(1)})
			}
			var attrs []attribute
			if u.attr != "" {
				attrs = append(attrs, floatAttr(u.attr, 0.05))
			}
			return m.double(m.op(u.op, []string{v}, attrs...), 6)
		}})
	}
	return list
}

// manyNodes are activations as tools write them.
var manyNodes = []struct {
	act network.Act
	as  func(m *maker, x string) string
}{
	{network.ActSiLU, func(m *maker, x string) string { return m.op("Mul", []string{m.op("Sigmoid", []string{x}), x}) }},
	{network.ActGELU, func(m *maker, x string) string { // as torch does
		e := m.op("Erf", []string{m.op("Div", []string{x, m.scalar(1.4142135)})})
		return m.op("Mul", []string{m.op("Mul", []string{x, m.op("Add", []string{e, m.scalar(1)})}), m.scalar(0.5)})
	}},
	{network.ActGELU, func(m *maker, x string) string { // as tf2onnx does
		e := m.op("Add", []string{m.op("Erf", []string{m.op("Mul", []string{x, m.scalar(0.70710678)})}), m.scalar(1)})
		return m.op("Mul", []string{m.op("Mul", []string{x, m.scalar(0.5)}), e})
	}},
	{network.ActGELUTanh, func(m *maker, x string) string {
		cube := m.op("Mul", []string{m.scalar(0.044715), m.op("Pow", []string{x, m.scalar(3)})})
		e := m.op("Tanh", []string{m.op("Mul", []string{m.scalar(0.7978845608), m.op("Add", []string{x, cube})})})
		return m.op("Mul", []string{m.op("Mul", []string{m.scalar(0.5), x}), m.op("Add", []string{m.scalar(1), e})})
	}},
	{network.ActMish, func(m *maker, x string) string {
		return m.op("Mul", []string{x, m.op("Tanh", []string{m.op("Softplus", []string{x})})})
	}},
	{network.ActHardSwish, func(m *maker, x string) string { // as torch does
		c := m.op("Clip", []string{m.op("Add", []string{x, m.scalar(3)}), m.scalar(0), m.scalar(6)})
		return m.op("Div", []string{m.op("Mul", []string{x, c}), m.scalar(6)})
	}},
	{network.ActHardSwish, func(m *maker, x string) string {
		return m.op("Mul", []string{x, m.op("HardSigmoid", []string{x}, floatAttr("alpha", 1.0/6), floatAttr("beta", 0.5))})
	}},
}

// TestRecognise: what is written as many nodes is imported as the activation that
// it is.
func TestRecognise(t *testing.T) {
	rng := check.Rand(t)
	for _, written := range manyNodes {
		m := newMaker(rng, 13, 1, 0, 0)
		v := written.as(m, m.conv(makerIn, 1, 4, 3))
		g, err := graphOf(m.file(m.double(v, 4)), ImportOptions{})
		if err != nil {
			t.Fatalf("%v: %v", written.act, err)
		}
		if len(g.Nodes) != 4 || g.Nodes[1].Op != network.OpActivate || g.Nodes[1].Act != written.act {
			t.Errorf("%v became %d nodes, the second %v %v", written.act, len(g.Nodes), g.Nodes[1].Op, g.Nodes[1].Act)
		}
	}
}

// TestUnaryOps: every activation of graphs is written, and read as itself.
func TestUnaryOps(t *testing.T) {
	rng := check.Rand(t)
	for _, act := range network.Acts() {
		for _, opset := range []int{MinOpset, 13, MaxOpset} {
			if act == network.ActNone {
				continue
			}
			m := newMaker(rng, 13, 1, 0, 0)
			g, err := graphOf(m.file(m.double(m.op("Relu", []string{m.conv(makerIn, 1, 4, 3)}), 4)), ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			n := &g.Nodes[1]
			n.Act, n.Lo, n.Hi = act, -0.5, 0.75
			if act.Sloped() {
				n.Slope = []float32{0.25}
			}
			back, err := graphOf(export(t, g, ExportOptions{Opset: opset}), ImportOptions{})
			if err != nil {
				t.Fatalf("%v, set %d: %v", act, opset, err)
			}
			src := make([]float64, 25)
			for i := range src {
				src[i] = rng.Float64()
			}
			want, err := g.Evaluate(src, 5, 5)
			if err != nil {
				t.Fatal(err)
			}
			got, err := back.Evaluate(src, 5, 5)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if d := want[i] - got[i]; d > 1e-5 || d < -1e-5 {
					t.Errorf("%v, set %d: read as another function: %v, want %v", act, opset, got[i], want[i])
					break
				}
			}
		}
	}
}
