package network

import (
	"fmt"
	"math"
)

// Act is an activation: a function of one value.
type Act uint8

const (
	ActNone Act = iota
	ActReLU
	ActPReLU // with Node.Slope; one slope is LeakyReLU
	ActClip  // to Node.Lo and Hi
	ActSigmoid
	ActTanh
	ActSiLU
	ActGELU
	ActGELUTanh // GELU as tanh approximates it
	ActExp
	ActLog
	ActSqrt
	ActReciprocal
	ActAbs
	ActSquare
	ActPow // to the power of Node.Slope
	ActErf
	ActSign
	ActFloor
	ActCeil
	ActRound // halves to even
	ActSoftplus
	ActSoftsign
	ActMish
	ActHardSwish
	ActELU  // with alpha in Node.Slope
	ActCELU // likewise
	ActSELU
	ActThreshold // x where it is above Node.Slope, else 0
	ActSin
	ActCos
	ActTan
	ActSinh
	ActCosh
	ActAsin
	ActAcos
	ActAtan
	ActAsinh
	ActAcosh
	ActAtanh
)

// activation is what the graph has to know of an activation: a row of the table.
type activation struct {
	name   string
	of     func(v, slope float64) float64
	sloped bool // it has a Slope: one, or one a channel
}

// plain makes a row of a function that has no parameter.
func plain(name string, f func(float64) float64) activation {
	return activation{name: name, of: func(v, _ float64) float64 { return f(v) }}
}

// activations is the table of all activations, by Act: as ONNX defines them
// (github.com/onnx/onnx, docs/Operators.md).
var activations = [...]activation{
	ActNone: plain("none", func(v float64) float64 { return v }),
	ActReLU: plain("relu", func(v float64) float64 { return max(v, 0) }),
	ActPReLU: {name: "prelu", sloped: true, of: func(v, slope float64) float64 {
		if v < 0 {
			return slope * v
		}
		return v
	}},
	ActClip:    plain("clip", func(v float64) float64 { return v }), // its range is the node's
	ActSigmoid: plain("sigmoid", logistic),
	ActTanh:    plain("tanh", math.Tanh),
	ActSiLU:    plain("silu", func(v float64) float64 { return v * logistic(v) }),
	ActGELU:    plain("gelu", func(v float64) float64 { return v * (1 + math.Erf(v/math.Sqrt2)) / 2 }),
	ActGELUTanh: plain("gelu-tanh", func(v float64) float64 {
		return v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v))) / 2
	}),
	ActExp:        plain("exp", math.Exp),
	ActLog:        plain("log", math.Log),
	ActSqrt:       plain("sqrt", math.Sqrt),
	ActReciprocal: plain("reciprocal", func(v float64) float64 { return 1 / v }),
	ActAbs:        plain("abs", math.Abs),
	ActSquare:     plain("square", func(v float64) float64 { return v * v }),
	ActPow:        {name: "pow", sloped: true, of: math.Pow},
	ActErf:        plain("erf", math.Erf),
	ActSign: plain("sign", func(v float64) float64 {
		switch {
		case v > 0:
			return 1
		case v < 0:
			return -1
		}
		return v
	}),
	ActFloor:    plain("floor", math.Floor),
	ActCeil:     plain("ceil", math.Ceil),
	ActRound:    plain("round", math.RoundToEven),
	ActSoftplus: plain("softplus", softplus),
	ActSoftsign: plain("softsign", func(v float64) float64 { return v / (1 + math.Abs(v)) }),
	ActMish:     plain("mish", func(v float64) float64 { return v * math.Tanh(softplus(v)) }),
	ActHardSwish: plain("hardswish", func(v float64) float64 {
		return v * min(max(v/6+0.5, 0), 1)
	}),
	ActELU: {name: "elu", sloped: true, of: func(v, alpha float64) float64 {
		if v < 0 {
			return alpha * math.Expm1(v)
		}
		return v
	}},
	ActCELU: {name: "celu", sloped: true, of: func(v, alpha float64) float64 {
		return max(v, 0) + min(0, alpha*math.Expm1(v/alpha))
	}},
	ActSELU: plain("selu", func(v float64) float64 {
		const alpha, gamma = 1.67326319217681884765625, 1.05070102214813232421875
		if v > 0 {
			return gamma * v
		}
		return gamma * alpha * math.Expm1(v)
	}),
	ActThreshold: {name: "threshold", sloped: true, of: func(v, alpha float64) float64 {
		if v > alpha {
			return v
		}
		return 0
	}},
	ActSin:   plain("sin", math.Sin),
	ActCos:   plain("cos", math.Cos),
	ActTan:   plain("tan", math.Tan),
	ActSinh:  plain("sinh", math.Sinh),
	ActCosh:  plain("cosh", math.Cosh),
	ActAsin:  plain("asin", math.Asin),
	ActAcos:  plain("acos", math.Acos),
	ActAtan:  plain("atan", math.Atan),
	ActAsinh: plain("asinh", math.Asinh),
	ActAcosh: plain("acosh", math.Acosh),
	ActAtanh: plain("atanh", math.Atanh),
}

func logistic(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// softplus is log(1 + exp(v)), of large values, too.
func softplus(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }

func (a Act) String() string {
	if int(a) < len(activations) {
		return activations[a].name
	}
	return fmt.Sprintf("act(%d)", a)
}

// Acts lists all activations.
func Acts() []Act {
	list := make([]Act, len(activations))
	for i := range list {
		list[i] = Act(i)
	}
	return list
}

// Sloped says whether the activation has a parameter, Node.Slope: one for all
// channels, or one for each.
func (a Act) Sloped() bool { return activations[a].sloped }

// Of is the activation's value at v, with its slope where it is Sloped. ActClip,
// whose range is a Node's, gives v.
func (a Act) Of(v, slope float64) float64 { return activations[a].of(v, slope) }
