package onnx

import (
	"math"
	"slices"

	"evosr/network"
)

// unaryOp is an operator of one value: a row of the table.
type unaryOp struct {
	op    string
	act   network.Act
	since int // the operator set that it came with

	// The attribute that is the activation's slope, and what it is where the file
	// does not say; "" for none.
	attr string
	none float32
}

// unaryOps are the operators that are one activation, for the reader and the
// writer.
var unaryOps = []unaryOp{
	{op: "Relu", act: network.ActReLU},
	{op: "LeakyRelu", act: network.ActPReLU, attr: "alpha", none: 0.01},
	{op: "Sigmoid", act: network.ActSigmoid},
	{op: "Tanh", act: network.ActTanh},
	{op: "Exp", act: network.ActExp},
	{op: "Log", act: network.ActLog},
	{op: "Sqrt", act: network.ActSqrt},
	{op: "Reciprocal", act: network.ActReciprocal},
	{op: "Abs", act: network.ActAbs},
	{op: "Erf", act: network.ActErf, since: 9},
	{op: "Sign", act: network.ActSign, since: 9},
	{op: "Floor", act: network.ActFloor},
	{op: "Ceil", act: network.ActCeil},
	{op: "Round", act: network.ActRound, since: 11},
	{op: "Softplus", act: network.ActSoftplus},
	{op: "Softsign", act: network.ActSoftsign},
	{op: "Mish", act: network.ActMish, since: 18},
	{op: "HardSwish", act: network.ActHardSwish, since: 14},
	{op: "Elu", act: network.ActELU, attr: "alpha", none: 1},
	{op: "Celu", act: network.ActCELU, since: 12, attr: "alpha", none: 1},
	{op: "Selu", act: network.ActSELU},
	{op: "ThresholdedRelu", act: network.ActThreshold, since: 10, attr: "alpha", none: 1},
	{op: "Sin", act: network.ActSin},
	{op: "Cos", act: network.ActCos},
	{op: "Tan", act: network.ActTan},
	{op: "Sinh", act: network.ActSinh, since: 9},
	{op: "Cosh", act: network.ActCosh, since: 9},
	{op: "Asin", act: network.ActAsin},
	{op: "Acos", act: network.ActAcos},
	{op: "Atan", act: network.ActAtan},
	{op: "Asinh", act: network.ActAsinh, since: 9},
	{op: "Acosh", act: network.ActAcosh, since: 9},
	{op: "Atanh", act: network.ActAtanh, since: 9},
}

// unaryOf is the row of an operator, nil where it has none.
func unaryOf(op string) *unaryOp {
	if i := slices.IndexFunc(unaryOps, func(u unaryOp) bool { return u.op == op }); i >= 0 {
		return &unaryOps[i]
	}
	return nil
}

// unaryBy is the row that writes an activation, nil where it has none.
func unaryBy(act network.Act) *unaryOp {
	if i := slices.IndexFunc(unaryOps, func(u unaryOp) bool { return u.act == act }); i >= 0 {
		return &unaryOps[i]
	}
	return nil
}

// of is the operator's value at v, with the node's attribute.
func (u *unaryOp) of(n *node, v float32) float32 {
	return float32(u.act.Of(float64(v), float64(n.fraction(u.attr, u.none))))
}

func (im *importer) unary(n *node) (value, error) {
	src, e, err := im.read(n, 0)
	if err != nil {
		return value{}, err
	}
	u := unaryOf(n.op)
	to := network.Node{Op: network.OpActivate, Act: u.act, Inputs: []int{src}}
	if u.attr != "" {
		to.Slope = []float32{n.fraction(u.attr, u.none)}
	}
	if n.op == "Selu" && (n.attr("alpha") != nil && !near(n.fraction("alpha", 0), 1.6732632) || n.attr("gamma") != nil && !near(n.fraction("gamma", 0), 1.050701)) {
		return value{}, im.bad(n, "has an alpha or gamma of its own, want the usual ones")
	}
	return im.append(n, to, e)
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-5 }

// unaryConstant works an operator of one value out.
func (im *importer) unaryConstant(n *node, in []*constant) (*constant, error) {
	if in[0].whole {
		return nil, im.bad(n, "has whole numbers, want float32")
	}
	k, _, err := im.maker(n, in[0].dims, false)
	if err != nil {
		return nil, err
	}
	u := unaryOf(n.op)
	for i, v := range in[0].floats {
		k.floats[i] = u.of(n, v)
	}
	return k, nil
}

// power takes a computed value to a constant power, a constant to a computed one,
// or both computed.
func (im *importer) power(n *node) (value, error) {
	base, err := im.get(n, 0)
	if err != nil {
		return value{}, err
	}
	exponent, err := im.get(n, 1)
	if err != nil {
		return value{}, err
	}
	if !base.constant() && !exponent.constant() {
		return im.join(n, network.OpPow, 0, 1)
	}
	i := 0 // what is computed
	if base.constant() {
		i = 1
	}
	src, e, err := im.read(n, i)
	if err != nil {
		return value{}, err
	}
	k, err := im.floats(n, 1-i)
	if err != nil {
		return value{}, err
	}
	list, err := im.channelwise(n, k, e.c)
	if err != nil {
		return value{}, err
	}
	if i == 1 { // a^x = exp(x*log(a))
		gain := mapped(list, func(a float32) float32 { return float32(math.Log(float64(a))) })
		if notFinite(gain) >= 0 {
			return value{}, im.bad(n, "raises %v to what is computed, want numbers above 0", k.floats[:min(len(k.floats), 8)])
		}
		v, err := im.append(n, network.Node{Op: network.OpAffine, Gain: gain, Inputs: []int{src}}, e)
		if err != nil {
			return v, err
		}
		return im.append(n, network.Node{Op: network.OpActivate, Act: network.ActExp, Inputs: []int{v.node}}, e)
	}
	to := network.Node{Op: network.OpActivate, Act: network.ActPow, Slope: list, Inputs: []int{src}}
	for power, act := range map[float32]network.Act{2: network.ActSquare, 0.5: network.ActSqrt, -1: network.ActReciprocal} {
		if len(list) == 1 && list[0] == power {
			to.Act, to.Slope = act, nil
		}
	}
	return im.append(n, to, e)
}
