package onnx

import (
	"math"
	"slices"

	"evosr/network"
)

// importCase is a network as another tool may write it.
type importCase struct {
	name   string
	colors int
	sets   []int // operator sets at which it is tried
	h, w   int   // size that the file names; 0 for any
	build  func(m *maker) string
}

// Some operators changed their form at these sets.
var everySet = []int{7, 9, 10, 11, 13, 18, 21}

func since(set int) []int {
	return slices.DeleteFunc(slices.Clone(everySet), func(s int) bool { return s < set })
}

func before(set int) []int {
	return slices.DeleteFunc(slices.Clone(everySet), func(s int) bool { return s >= set })
}

// activations gives a case for every operator that changes values one by one.
func activationCase(op string, sets []int, more func(m *maker, c int64) ([]string, []attribute)) importCase {
	return importCase{op, 1, sets, 0, 0, func(m *maker) string {
		v := m.conv(makerIn, 1, 6, 3)
		inputs, attrs := []string{v}, []attribute(nil)
		if more != nil {
			list, a := more(m, 6)
			inputs, attrs = append(inputs, list...), a
		}
		return m.double(m.op(op, inputs, attrs...), 6)
	}}
}

// reshape adds a Reshape to the given dims.
func (m *maker) reshape(src string, dims ...int64) string {
	return m.op("Reshape", []string{src, m.ints(dims...)})
}

// side takes one number out of the shape of a value, as Shape and Gather.
func (m *maker) side(src string, axis int64) string {
	index := intTensor("", axis)
	index.dims = nil
	return m.op("Gather", []string{m.op("Shape", []string{src}), m.constant(index)}, intAttr("axis", 0))
}

// unsqueeze adds an axis in front.
func (m *maker) unsqueeze(src string) string {
	if m.opset < 13 {
		return m.op("Unsqueeze", []string{src}, intsAttr("axes", 0))
	}
	return m.op("Unsqueeze", []string{src, m.ints(0)})
}

// listOf joins numbers to a list.
func (m *maker) listOf(parts ...string) string {
	var list []string
	for _, p := range parts {
		list = append(list, m.unsqueeze(p))
	}
	return m.op("Concat", list, intAttr("axis", 0))
}

// whole is a number without dims.
func (m *maker) whole(v int64) string {
	t := intTensor("", v)
	t.dims = nil
	return m.constant(t)
}

// pad adds a Pad by the rules of the set.
func (m *maker) pad(src, mode string, pads ...int64) string {
	if m.opset < 11 {
		return m.op("Pad", []string{src}, textAttr("mode", mode), intsAttr("pads", pads...))
	}
	return m.op("Pad", []string{src, m.ints(pads...)}, textAttr("mode", mode))
}

// slice adds a Slice of one axis by the rules of the set.
func (m *maker) slice(src string, axis, from, to int64) string {
	if m.opset < 10 {
		return m.op("Slice", []string{src}, intsAttr("axes", axis), intsAttr("starts", from), intsAttr("ends", to))
	}
	return m.op("Slice", []string{src, m.ints(from), m.ints(to), m.ints(axis)})
}

// importCases are networks that Graph takes.
func importCases() []importCase {
	list := []importCase{
		{"filters of every odd side", 1, []int{11}, 0, 0, func(m *maker) string {
			v := makerIn
			in := int64(1)
			for _, k := range []int64{1, 3, 5, 7, 9, 11} {
				v, in = m.conv(v, in, 3, k), 3
			}
			return m.double(v, 3)
		}},
		{"depthwise and grouped", 3, []int{11, 21}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 3, 8, 3)
			v = m.op("Conv", []string{v, m.random(0.3, 8, 1, 3, 3)}, intAttr("group", 8), intsAttr("pads", 1, 1, 1, 1))
			v = m.op("Conv", []string{v, m.random(0.3, 16, 4, 1, 1)}, intAttr("group", 2))
			v = m.op("Conv", []string{v, m.random(0.3, 32, 1, 5, 5)}, intAttr("group", 16), textAttr("auto_pad", "SAME_UPPER"))
			return m.double(v, 32)
		}},
		{"filters that are not square", 1, []int{13}, 0, 0, func(m *maker) string {
			v := m.op("Conv", []string{makerIn, m.random(0.4, 4, 1, 1, 3)}, intsAttr("pads", 0, 1, 0, 1))
			v = m.op("Conv", []string{v, m.random(0.3, 4, 4, 5, 1)}, intsAttr("pads", 2, 0, 2, 0), intsAttr("kernel_shape", 5, 1))
			v = m.op("Conv", []string{v, m.random(0.3, 4, 4, 3, 3)}, intsAttr("pads", 2, 2, 2, 2), intsAttr("dilations", 2, 2))
			v = m.op("Conv", []string{v, m.random(0.3, 4, 4, 3, 3)}, intsAttr("pads", 2, 1, 2, 1), intsAttr("dilations", 2, 1))
			return m.double(v, 4)
		}},
		{"pads that differ", 1, []int{11}, 0, 0, func(m *maker) string {
			v := m.op("Conv", []string{makerIn, m.random(0.3, 4, 1, 3, 3)}, intsAttr("pads", 0, 2, 1, 0))
			v = m.op("Conv", []string{v, m.random(0.3, 4, 4, 3, 3)}, intsAttr("pads", 2, 1, 1, 1))
			return m.double(v, 4)
		}},
		{"FSRCNN", 1, []int{9, 13}, 0, 0, func(m *maker) string {
			v := m.op("PRelu", []string{m.conv(makerIn, 1, 12, 5), m.random(0.2, 12, 1, 1)})
			v = m.op("PRelu", []string{m.conv(v, 12, 5, 1), m.random(0.2, 5, 1, 1)})
			v = m.op("PRelu", []string{m.conv(v, 5, 12, 1), m.random(0.2, 1, 1, 1)})
			return m.op("ConvTranspose", []string{v, m.random(0.1, 12, 1, 9, 9), m.random(0.1, 1)},
				intsAttr("strides", 3, 3), intsAttr("pads", 4, 4, 4, 4), intsAttr("output_padding", 2, 2), intsAttr("kernel_shape", 9, 9))
		}},
		{"deconvolutions of even filters and groups", 1, []int{11}, 0, 0, func(m *maker) string {
			v := m.op("ConvTranspose", []string{m.conv(makerIn, 1, 6, 3), m.random(0.3, 6, 2, 4, 4), m.random(0.1, 4)},
				intsAttr("strides", 2, 2), intsAttr("pads", 1, 1, 1, 1), intAttr("group", 2))
			v = m.op("ConvTranspose", []string{v, m.random(0.3, 4, 1, 2, 2)}, intsAttr("strides", 2, 2), intAttr("group", 4))
			return m.conv(v, 4, 1, 3)
		}},
		{"strides down and up", 1, []int{13}, 0, 0, func(m *maker) string {
			v := m.double(makerIn, 1)
			v = m.op("Conv", []string{v, m.random(0.2, 6, 1, 2, 2)}, intsAttr("strides", 2, 2))
			return m.double(v, 6)
		}},
		{"normalised", 1, everySet, 0, 0, func(m *maker) string {
			norm := func(v string, c int64) string {
				variance := make([]float32, c)
				for i := range variance {
					variance[i] = 0.5 + m.rng.Float32()
				}
				return m.op("BatchNormalization", []string{v, m.random(1, c), m.random(0.3, c), m.random(0.3, c), m.floats(variance...)}, floatAttr("epsilon", 1e-3))
			}
			v := norm(makerIn, 1) // nothing before to fold into
			v = m.op("Relu", []string{norm(m.conv(v, 1, 6, 3), 6)})
			v = norm(m.op("Conv", []string{v, m.random(0.3, 6, 1, 3, 3)}, intAttr("group", 6), intsAttr("pads", 1, 1, 1, 1)), 6)
			v = norm(m.op("ConvTranspose", []string{v, m.random(0.3, 6, 2, 2, 2)}, intsAttr("strides", 2, 2), intAttr("group", 3)), 6)
			return m.conv(v, 6, 1, 3)
		}},
		{"numbers and channels of numbers", 3, everySet, 0, 0, func(m *maker) string {
			v := m.op("Sub", []string{makerIn, m.constant(floatTensor("", []float32{0.4, 0.5, 0.3}, 1, 3, 1, 1))})
			v = m.op("Mul", []string{m.scalar(2), v})
			v = m.conv(v, 3, 4, 3)
			v = m.op("Div", []string{v, m.floats(4)})
			v = m.op("Sub", []string{m.scalar(0.5), v})
			v = m.op("Neg", []string{m.op("Mul", []string{v, m.random(1, 4, 1, 1)})})
			v = m.op("Add", []string{m.double(v, 4), m.constant(floatTensor("", []float32{0.4, 0.5, 0.3}, 3, 1, 1))})
			return m.op("Mul", []string{v, m.scalar(0.5)})
		}},
		{"two by two", 1, everySet, 0, 0, func(m *maker) string {
			a, b := m.conv(makerIn, 1, 4, 3), m.conv(makerIn, 1, 4, 3)
			one := m.conv(makerIn, 1, 1, 3)
			v := m.op("Add", []string{a, b})
			v = m.op("Sub", []string{v, m.op("Mul", []string{a, one})})
			v = m.op("Mul", []string{one, v})
			v = m.op("Add", []string{v, v})
			if m.opset >= 8 { // of unlike sizes before
				v = m.op("Max", []string{v, b, one})
				v = m.op("Sum", []string{v, a, one})
			}
			return m.double(v, 4)
		}},
		{"channels split and joined", 1, everySet, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 12, 3)
			even := []attribute{intAttr("axis", 1)}
			if m.opset >= 18 {
				even = []attribute{intAttr("axis", -3), intAttr("num_outputs", 2)}
			}
			half := m.ops("Split", 2, []string{v}, even...)
			var parts []string
			if m.opset < 13 {
				parts = m.ops("Split", 3, []string{half[0]}, intAttr("axis", 1), intsAttr("split", 1, 2, 3))
			} else {
				parts = m.ops("Split", 3, []string{half[0], m.ints(1, 2, 3)}, intAttr("axis", 1))
			}
			a := m.slice(half[1], 1, 1, 4)
			b := m.slice(half[1], 1, -2, math.MaxInt64)
			bgr := m.op("Gather", []string{a, m.ints(2, 1, 0)}, intAttr("axis", 1))
			v = m.op("Concat", []string{parts[2], a, parts[0], b, bgr, parts[1]}, intAttr("axis", 1))
			return m.double(v, 3+3+1+2+3+2)
		}},
		{"pixel shuffle DCR", 3, []int{7, 11, 13}, 0, 0, func(m *maker) string {
			var mode []attribute
			if m.opset >= 11 {
				mode = []attribute{textAttr("mode", "DCR")}
			}
			return m.op("DepthToSpace", []string{m.conv(makerIn, 3, 27, 3)}, append(mode, intAttr("blocksize", 3))...)
		}},
		{"pixel shuffle CRD", 3, []int{11, 21}, 0, 0, func(m *maker) string {
			return m.op("DepthToSpace", []string{m.conv(makerIn, 3, 48, 3)}, intAttr("blocksize", 4), textAttr("mode", "CRD"))
		}},
		{"pixel shuffle of a named size", 1, []int{10, 13}, 12, 10, func(m *maker) string {
			v := m.reshape(m.conv(makerIn, 1, 9, 5), -1, 1, 3, 3, 12, 10)
			return m.reshape(m.op("Transpose", []string{v}, intsAttr("perm", 0, 1, 4, 2, 5, 3)), 1, 1, 36, 30)
		}},
		{"pixel shuffle by Reshape", 3, []int{9, 13}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 3, 12, 3)
			h, w := m.side(v, 2), m.side(v, 3)
			six := m.listOf(m.whole(1), m.whole(3), m.whole(2), m.whole(2), h, w)
			four := m.listOf(m.whole(1), m.whole(3), m.op("Mul", []string{h, m.whole(2)}), m.op("Mul", []string{m.whole(2), w}))
			v = m.op("Transpose", []string{m.op("Reshape", []string{v, six})}, intsAttr("perm", 0, 1, 4, 2, 5, 3))
			return m.op("Reshape", []string{v, four})
		}},
		{"pixel shuffle by Reshape, depth first", 3, []int{13}, 8, 8, func(m *maker) string {
			v := m.reshape(m.conv(makerIn, 3, 12, 3), 2, 2, 3, 8, 8)
			v = m.reshape(m.op("Transpose", []string{v}, intsAttr("perm", 2, 3, 0, 4, 1)), 1, 3, 16, 16)
			return v
		}},
		{"colors last", 3, []int{11, 13}, 0, 0, func(m *maker) string {
			in := &m.graph.inputs[0]
			in.dims = []dim{in.dims[0], in.dims[2], in.dims[3], in.dims[1]}
			v := m.op("Transpose", []string{makerIn}, intsAttr("perm", 0, 3, 1, 2))
			m.graph.inputs[0].dims[1], m.graph.inputs[0].dims[3] = m.graph.inputs[0].dims[3], m.graph.inputs[0].dims[1]
			v = m.double(v, 3)
			m.graph.inputs[0].dims[1], m.graph.inputs[0].dims[3] = m.graph.inputs[0].dims[3], m.graph.inputs[0].dims[1]
			return m.op("Transpose", []string{v}, intsAttr("perm", 0, 2, 3, 1))
		}},
		{"axes put in and out", 1, []int{11, 13}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 4, 3)
			if m.opset < 13 {
				v = m.op("Squeeze", []string{m.op("Unsqueeze", []string{v}, intsAttr("axes", 2))}, intsAttr("axes", 2))
			} else {
				v = m.op("Squeeze", []string{m.op("Unsqueeze", []string{v, m.ints(-4, 0)}), m.ints(0, 2)})
			}
			v = m.op("Dropout", []string{m.op("Identity", []string{v})})
			return m.double(v, 4)
		}},
		{"computed weights", 1, []int{13}, 0, 0, func(m *maker) string {
			w := m.op("Transpose", []string{m.random(0.3, 3, 3, 1, 4)}, intsAttr("perm", 3, 2, 0, 1))
			w = m.op("Mul", []string{w, m.random(1, 4, 1, 1, 1)})
			bias := m.op("Squeeze", []string{m.op("Concat", []string{m.random(0.1, 2, 1), m.random(0.1, 2, 1)}, intAttr("axis", 0)), m.ints(1)})
			root := m.op("Sqrt", []string{m.op("Add", []string{m.op("Cast", []string{m.ints(2, 3, 4, 5)}, intAttr("to", int(typeFloat))), m.scalar(1)})})
			bias = m.op("Div", []string{m.op("Sub", []string{bias, m.floats(0.1)}), root})
			v := m.op("Conv", []string{makerIn, w, bias}, intsAttr("pads", 1, 1, 1, 1))
			return m.double(v, 4)
		}},
		{"weights in float16", 1, []int{13}, 0, 0, func(m *maker) string {
			t, err := halfTensor("", []float32{0.1, -0.2, 0.3, 0.4}, 4, 1, 1, 1)
			if err != nil {
				panic(err)
			}
			w := m.op("Cast", []string{m.constant(t)}, intAttr("to", int(typeFloat)))
			return m.double(m.op("Conv", []string{makerIn, w}), 4)
		}},
		{"borders", 1, everySet, 0, 0, func(m *maker) string {
			v := m.pad(makerIn, "edge", 0, 0, 2, 2, 0, 0, 2, 2)
			v = m.op("Conv", []string{v, m.random(0.2, 4, 1, 5, 5)})
			v = m.pad(v, "constant", 0, 0, 1, 1, 0, 0, 1, 1)
			v = m.op("Conv", []string{v, m.random(0.2, 4, 4, 3, 3)})
			v = m.pad(v, "reflect", 0, 0, 1, 1, 0, 0, 1, 1)
			v = m.op("Conv", []string{v, m.random(0.2, 4, 4, 3, 3)})
			return m.double(v, 4)
		}},
		{"a border by matrices", 3, []int{7, 13}, 9, 12, func(m *maker) string {
			rows := m.constant(floatTensor("", edgeRows(9, 2, 3), 3*13, 3*9))
			columns := m.constant(floatTensor("", edgeColumns(12, 2), 12, 16))
			v := m.op("MatMul", []string{m.reshape(makerIn, 27, 12), columns})
			v = m.reshape(m.op("MatMul", []string{rows, v}), 1, 3, 13, 16)
			return m.double(m.op("Conv", []string{v, m.random(0.2, 4, 3, 5, 5)}), 4)
		}},
		{"a border of a value", 1, []int{11, 13, 18}, 0, 0, func(m *maker) string {
			v := m.op("Pad", []string{makerIn, m.ints(0, 0, 1, 1, 0, 0, 1, 1), m.scalar(0.5)})
			if m.opset >= 18 {
				v = m.op("Pad", []string{makerIn, m.ints(1, 1, 1, 1), m.scalar(0.5), m.ints(2, -1)})
			}
			return m.double(m.op("Conv", []string{v, m.random(0.2, 4, 1, 3, 3)}), 4)
		}},
		{"borders as torch works them out", 1, []int{11}, 0, 0, func(m *maker) string {
			zeros := m.op("ConstantOfShape", []string{m.ints(4)}, attribute{name: "value", kind: attrTensor, t: ref(intTensor("", 0))})
			all := m.reshape(m.op("Concat", []string{m.ints(1, 2, 3, 0), zeros}, intAttr("axis", 0)), -1, 2)
			turned := m.op("Slice", []string{all, m.ints(-1), m.ints(math.MinInt64), m.ints(0), m.ints(-1)})
			pads := m.op("Cast", []string{m.reshape(m.op("Transpose", []string{turned}, intsAttr("perm", 1, 0)), -1)}, intAttr("to", int(typeInt64)))
			v := m.op("Pad", []string{makerIn, pads}, textAttr("mode", "reflect"))
			return m.double(m.op("Conv", []string{v, m.random(0.2, 4, 1, 4, 4)}), 4)
		}},
		{"largest of a window", 1, []int{11, 13}, 0, 0, func(m *maker) string {
			v := m.op("MaxPool", []string{m.conv(makerIn, 1, 4, 3)}, intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1))
			return m.double(v, 4)
		}},
		{"channels summed", 1, []int{11, 13, 18}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 5, 3)
			all := []string{v}
			for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceMin"} {
				if op == "ReduceSum" && m.opset >= 13 || m.opset >= 18 {
					all = append(all, m.op(op, []string{v, m.ints(1)}))
				} else {
					all = append(all, m.op(op, []string{v}, intsAttr("axes", 1)))
				}
			}
			if m.opset < 18 {
				all = append(all, m.op("ReduceLogSum", []string{m.op("Sigmoid", []string{v})}, intsAttr("axes", -3)))
			} else {
				all = append(all, m.op("ReduceLogSum", []string{m.op("Sigmoid", []string{v}), m.ints(-3)}))
			}
			return m.double(m.op("Concat", all, intAttr("axis", 1)), 12)
		}},
		{"gates of the whole picture", 1, []int{11, 13, 18}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 8, 3)
			g := m.op("Conv", []string{m.op("GlobalAveragePool", []string{v}), m.random(0.5, 4, 8, 1, 1)})
			g = m.op("Sigmoid", []string{m.op("Conv", []string{m.op("Relu", []string{g}), m.random(0.5, 8, 4, 1, 1)})})
			v = m.op("Mul", []string{v, g})
			most := m.op("GlobalMaxPool", []string{v})
			v = m.op("Add", []string{v, m.op("Mul", []string{m.scalar(0.1), most})})
			if m.opset < 18 {
				v = m.op("Sub", []string{v, m.op("ReduceMean", []string{v}, intsAttr("axes", -2, -1))})
			}
			one := m.slice(v, 1, 2, 3)
			v = m.op("Add", []string{v, m.op("Expand", []string{one, m.op("Shape", []string{v})})})
			v = m.op("Concat", []string{v, m.op("Expand", []string{most, m.op("Shape", []string{v})})}, intAttr("axis", 1))
			return m.double(v, 16)
		}},
		{"normalised over the picture", 1, []int{7, 13, 21}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 6, 3)
			v = m.op("InstanceNormalization", []string{v, m.random(1, 6), m.random(0.3, 6)}, floatAttr("epsilon", 1e-3))
			return m.double(v, 6)
		}},
		{"shares of channels", 1, []int{13, 18}, 0, 0, func(m *maker) string {
			a, b := m.conv(makerIn, 1, 4, 3), m.conv(makerIn, 1, 4, 3)
			v := m.op("Softmax", []string{m.op("Mean", []string{a, b})}, intAttr("axis", 1))
			v = m.op("Concat", []string{v, m.op("Tile", []string{m.slice(a, 1, 1, 2), m.ints(1, 4, 1, 1)})}, intAttr("axis", 1))
			return m.double(v, 8)
		}},
		{"borders of even filters", 1, []int{7, 13}, 0, 0, func(m *maker) string {
			v := m.op("Conv", []string{makerIn, m.random(0.3, 4, 1, 4, 4)}, textAttr("auto_pad", "SAME_UPPER"))
			v = m.op("Conv", []string{v, m.random(0.2, 4, 4, 2, 2)}, textAttr("auto_pad", "SAME_LOWER"))
			return m.double(v, 4)
		}},
		{"wide filters", 1, []int{13}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 4, 3)
			v = m.op("Conv", []string{v, m.random(0.1, 4, 1, 13, 13)}, intAttr("group", 4), intsAttr("pads", 6, 6, 6, 6))
			v = m.op("Conv", []string{v, m.random(0.1, 4, 1, 7, 7)}, intAttr("group", 4), intsAttr("dilations", 3, 3), intsAttr("pads", 9, 9, 9, 9))
			return m.double(v, 4)
		}},
		{"mean of a window", 1, []int{7, 11, 13, 19}, 0, 0, func(m *maker) string {
			v := m.op("AveragePool", []string{m.conv(makerIn, 1, 4, 3)}, intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1))
			w := m.op("AveragePool", []string{v}, intsAttr("kernel_shape", 5, 5), intsAttr("pads", 2, 2, 2, 2), intAttr("count_include_pad", 1))
			return m.double(w, 4)
		}},
		{"through, powers and smallest", 1, []int{9, 11, 13, 18}, 0, 0, func(m *maker) string {
			a, b := m.op("Sigmoid", []string{m.conv(makerIn, 1, 4, 3)}), m.op("Sigmoid", []string{m.conv(makerIn, 1, 4, 3)})
			v := m.op("Div", []string{a, m.op("Add", []string{b, m.scalar(1)})})
			v = m.op("Add", []string{v, m.op("Div", []string{m.scalar(0.5), m.op("Add", []string{a, m.scalar(1)})})})
			v = m.op("Pow", []string{m.op("Pow", []string{v, m.scalar(2)}), m.scalar(0.7)})
			v = m.op("Add", []string{m.op("Pow", []string{a, b}), m.op("Pow", []string{m.scalar(2), v})})
			v = m.op("Min", []string{v, b, m.random(1, 4, 1, 1)})
			return m.double(m.op("Max", []string{v, m.random(1, 4, 1, 1), m.scalar(-0.2)}), 4)
		}},
		{"constants by functions", 1, []int{13}, 0, 0, func(m *maker) string {
			bias := m.op("Add", []string{m.op("Exp", []string{m.floats(0.1, -0.3, 0.2, 0)}), m.op("Tanh", []string{m.random(1, 4)})})
			bias = m.op("Min", []string{m.op("Pow", []string{bias, m.floats(2)}), m.op("Max", []string{bias, m.floats(0.4)})})
			return m.double(m.op("Conv", []string{makerIn, m.random(0.3, 4, 1, 3, 3), bias}, intsAttr("pads", 1, 1, 1, 1)), 4)
		}},
		{"activations in many nodes", 1, []int{13}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 4, 3)
			for _, written := range manyNodes {
				v = written.as(m, m.conv(v, 4, 4, 3))
			}
			return m.double(v, 4)
		}},
		{"the largest channel", 1, everySet, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 12, 3)
			if m.opset < 11 {
				v = m.op("DepthToSpace", []string{v}, intAttr("blocksize", 2))
			} else {
				v = m.op("DepthToSpace", []string{v}, intAttr("blocksize", 2), textAttr("mode", "CRD"))
			}
			if m.opset < 18 {
				return m.op("ReduceMax", []string{v}, intsAttr("axes", 1), intAttr("keepdims", 1))
			}
			return m.op("ReduceMax", []string{v, m.ints(-3)})
		}},
		{"attention as in RLFN", 1, []int{11, 13}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 8, 3)
			small := m.op("Conv", []string{m.conv(v, 8, 4, 1), m.random(0.2, 4, 4, 3, 3)}, intsAttr("strides", 2, 2))
			small = m.op("MaxPool", []string{small}, intsAttr("kernel_shape", 7, 7), intsAttr("strides", 3, 3))
			size := m.op("Slice", []string{m.op("Shape", []string{v}), m.ints(2), m.ints(4), m.ints(0)})
			all := m.op("Concat", []string{m.op("Slice", []string{m.op("Shape", []string{small}), m.ints(0), m.ints(2), m.ints(0)}), size}, intAttr("axis", 0))
			big := m.op("Resize", []string{small, m.empty(), m.empty(), all}, textAttr("mode", "linear"), textAttr("coordinate_transformation_mode", "half_pixel"))
			mask := m.op("Sigmoid", []string{m.conv(big, 4, 8, 1)})
			return m.double(m.op("Mul", []string{v, mask}), 8)
		}},
		{"size by Floor", 1, []int{11}, 0, 0, func(m *maker) string {
			side := func(axis int64) string {
				half := m.op("Mul", []string{m.op("Cast", []string{m.side(makerIn, axis)}, intAttr("to", int(typeFloat))), m.scalar(2)})
				f := m.op("Ceil", []string{m.op("Floor", []string{half})})
				return m.op("Cast", []string{f}, intAttr("to", int(typeInt64)))
			}
			size := m.listOf(m.whole(1), m.op("Div", []string{m.whole(7), m.whole(4)}), side(2), side(3))
			return m.op("Resize", []string{m.conv(makerIn, 1, 1, 3), m.empty(), m.empty(), size}, textAttr("mode", "nearest"), textAttr("nearest_mode", "floor"))
		}},
		{"SiLU", 1, []int{11}, 0, 0, func(m *maker) string {
			v := m.conv(makerIn, 1, 4, 3)
			v = m.op("Mul", []string{v, m.op("Sigmoid", []string{v})})
			v = m.conv(v, 4, 4, 3)
			return m.double(m.op("Mul", []string{m.op("Sigmoid", []string{v}), v}), 4)
		}},
		{"Constant nodes", 1, []int{13}, 0, 0, func(m *maker) string {
			w := floatTensor("", []float32{1, 2, 3, 4}, 4, 1, 1, 1)
			v := m.op("Conv", []string{makerIn, m.op("Constant", nil, attribute{name: "value", kind: attrTensor, t: &w})})
			v = m.op("Add", []string{v, m.op("Constant", nil, floatAttr("value_float", 0.25))})
			v = m.op("Reshape", []string{v, m.op("Constant", nil, intsAttr("value_ints", 0, 0, 0, -1))})
			v = m.op("Mul", []string{v, m.op("Constant", nil, attribute{name: "value_floats", kind: attrFloats, floats: []float32{0.5}})})
			four := m.op("Concat", []string{m.ints(4), m.unsqueeze(m.op("Constant", nil, intAttr("value_int", 0)))}, intAttr("axis", 0))
			v = m.op("Concat", []string{m.op("Gather", []string{v, m.slice(four, 0, 1, 2)}, intAttr("axis", 1)), v}, intAttr("axis", 1))
			return m.double(v, 5)
		}},
		activationCase("HardSigmoid", everySet, func(*maker, int64) ([]string, []attribute) {
			return nil, []attribute{floatAttr("alpha", 0.3), floatAttr("beta", 0.4)}
		}),
		activationCase("Gelu", since(21), nil),
		activationCase("LeakyRelu", everySet, func(*maker, int64) ([]string, []attribute) { return nil, []attribute{floatAttr("alpha", 0.2)} }),
		activationCase("LeakyRelu", []int{13}, nil),
		activationCase("PRelu", everySet, func(m *maker, c int64) ([]string, []attribute) { return []string{m.random(0.3, c, 1, 1)}, nil }),
		activationCase("Clip", before(11), func(*maker, int64) ([]string, []attribute) {
			return nil, []attribute{floatAttr("min", 0), floatAttr("max", 0.7)}
		}),
		activationCase("Clip", since(11), func(m *maker, _ int64) ([]string, []attribute) {
			return []string{m.scalar(-0.1), m.scalar(0.6)}, nil
		}),
		activationCase("Clip", []int{13}, func(m *maker, _ int64) ([]string, []attribute) { return []string{"", m.scalar(0.6)}, nil }),
	}
	return slices.Concat(list, resizeCases(), unaryCases())
}

// empty is an optional input left out: set 11 asked for an empty list.
func (m *maker) empty() string {
	if m.opset == 11 {
		return m.floats()
	}
	return ""
}

func ref(t tensor) *tensor { return &t }

// resizeCases tries every way of interpolation.
func resizeCases() []importCase {
	var list []importCase
	up := func(name string, sets []int, f func(m *maker, v string) string) {
		list = append(list, importCase{name, 1, sets, 0, 0, func(m *maker) string { return f(m, m.conv(makerIn, 1, 1, 3)) }})
	}
	for _, mode := range []string{"nearest", "linear"} {
		up("Upsample "+mode, []int{7}, func(m *maker, v string) string {
			return m.op("Upsample", []string{v}, textAttr("mode", mode), attribute{name: "scales", kind: attrFloats, floats: []float32{1, 1, 3, 3}})
		})
		up("Upsample "+mode, []int{9}, func(m *maker, v string) string {
			return m.op("Upsample", []string{v, m.floats(1, 1, 2, 2)}, textAttr("mode", mode))
		})
		up("Resize "+mode+" of set 10", []int{10}, func(m *maker, v string) string {
			return m.op("Resize", []string{v, m.floats(1, 1, 2, 2)}, textAttr("mode", mode))
		})
	}
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, coord := range []string{"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"} {
			up("Resize "+mode+" "+coord, []int{11, 13, 19}, func(m *maker, v string) string {
				attrs := []attribute{textAttr("mode", mode), textAttr("coordinate_transformation_mode", coord)}
				if mode == "cubic" && m.opset == 13 {
					attrs = append(attrs, floatAttr("cubic_coeff_a", -0.5))
				}
				return m.op("Resize", []string{v, m.empty(), m.floats(1, 1, 3, 3)}, attrs...)
			})
		}
	}
	for _, rounding := range []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"} {
		up("Resize nearest, "+rounding, []int{13}, func(m *maker, v string) string {
			return m.op("Resize", []string{v, "", m.floats(1, 1, 4, 4)}, textAttr("nearest_mode", rounding))
		})
	}
	return list
}

// graphOf imports a file or fails.
func graphOf(data []byte, o ImportOptions) (*network.Graph, error) {
	m, err := Decode(data)
	if err != nil {
		return nil, err
	}
	return m.Graph(o)
}
