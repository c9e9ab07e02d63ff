package onnx

import (
	"math"
	"slices"
)

// Arithmetic of constants.

// calculate works out an operator of two numbers with NumPy's broadcasting.
func (im *importer) calculate(n *node, in []*constant) (*constant, error) {
	if len(in) != 2 || in[1] == nil || in[0].whole != in[1].whole {
		return nil, im.bad(n, "has constants of different kinds")
	}
	rank := max(len(in[0].dims), len(in[1].dims))
	var size [2][]int64
	for k := range size {
		size[k] = append(slices.Repeat([]int64{1}, rank-len(in[k].dims)), in[k].dims...)
	}
	dims := make([]int64, rank)
	for i := range dims {
		a, b := size[0][i], size[1][i]
		if a != b && a != 1 && b != 1 {
			return nil, im.bad(n, "has constants %v and %v", in[0].dims, in[1].dims)
		}
		if dims[i] = a; a == 1 {
			dims[i] = b
		}
	}
	out, count, err := im.maker(n, dims, in[0].whole)
	if err != nil {
		return nil, err
	}
	to, from := strides(dims), [2][]int{strides(size[0]), strides(size[1])}
	for i := range count {
		var at [2]int
		for a := range rank {
			for k := range at {
				if size[k][a] > 1 {
					at[k] += i / to[a] % int(dims[a]) * from[k][a]
				}
			}
		}
		if !out.whole {
			out.floats[i] = calculated(n.op, in[0].floats[at[0]], in[1].floats[at[1]])
			continue
		}
		x, y := in[0].ints[at[0]], in[1].ints[at[1]]
		if n.op == "Div" && y == 0 {
			return nil, im.bad(n, "divides by 0")
		}
		out.ints[i] = calculated(n.op, x, y)
	}
	return out, nil
}

func calculated[T int64 | float32](op string, x, y T) T {
	switch op {
	case "Add":
		return x + y
	case "Sub":
		return x - y
	case "Mul":
		return x * y
	case "Max":
		return max(x, y)
	case "Min":
		return min(x, y)
	case "Pow":
		return T(math.Pow(float64(x), float64(y)))
	}
	return x / y
}
