package onnx

import (
	"math"
	"strings"
	"testing"

	"evosr/internal/check"
)

// refusedCase is a network that Graph refuses because of one node.
type refusedCase struct {
	op    string // operator of the node at fault
	set   int
	want  string // part of the error, behind the operator set
	build func(m *maker) string
}

// with is a network that has one more node of a given operator.
func with(op string, set int, want string, more func(m *maker, v string) ([]string, []attribute)) refusedCase {
	return refusedCase{op, set, want, func(m *maker) string {
		v := m.conv(makerIn, 1, 4, 3)
		inputs, attrs := []string{v}, []attribute(nil)
		if more != nil {
			inputs, attrs = more(m, v)
		}
		return m.double(m.op(op, inputs, attrs...), 4)
	}}
}

func refusedCases() []refusedCase {
	only := func(attrs ...attribute) func(*maker, string) ([]string, []attribute) {
		return func(m *maker, v string) ([]string, []attribute) { return []string{v}, attrs }
	}
	filter := func(dims []int64, attrs ...attribute) func(*maker, string) ([]string, []attribute) {
		return func(m *maker, v string) ([]string, []attribute) { return []string{v, m.random(0.1, dims...)}, attrs }
	}
	k3 := []int64{4, 4, 3, 3}
	return []refusedCase{
		with("LSTM", 13, "is not an operator that this runtime has", nil),
		with("LSTM", 13, "is not an operator that this runtime has", nil),
		with("Multinomial", 13, "is not an operator that this runtime has", nil),
		with("Conv", 13, "has strides [2 1], want two equal ones", filter(k3, intsAttr("strides", 2, 1))),
		with("Conv", 13, "has strides [9 9], want two equal ones of 1 to 8", filter(k3, intsAttr("strides", 9, 9))),
		with("Conv", 13, "has dilations [0 1], want two of 1 to 31", filter(k3, intsAttr("dilations", 0, 1))),
		with("Conv", 13, "filters of 33 pixels a side with their gaps", filter(k3, intsAttr("dilations", 16, 16))),
		with("Conv", 13, "has 3 groups for 4 filters", filter(k3, intAttr("group", 3))),
		with("Conv", 13, "has weights for 8 input channels, want 4", filter(k3, intAttr("group", 2))),
		with("Conv", 13, "has pads [-1 0 0 0]", filter(k3, intsAttr("pads", -1, 0, 0, 0))),
		with("Conv", 13, "has pads [1], want four", filter(k3, intsAttr("pads", 1))),
		with("Conv", 13, `has auto_pad "SAME"`, filter(k3, textAttr("auto_pad", "SAME"))),
		with("Conv", 13, "has auto_pad for stride 2", filter(k3, textAttr("auto_pad", "SAME_UPPER"), intsAttr("strides", 2, 2))),
		with("Conv", 13, "sides that differ by an even number", filter([]int64{4, 4, 2, 3})),
		with("Conv", 13, "want (channels, channels, height, width) with sides of 1 to 31", filter([]int64{4, 4, 33, 33})),
		with("Conv", 13, "want (channels, channels, height, width)", filter([]int64{4, 4, 3})),
		with("Conv", 13, "lacks input 1", nil),
		with("Conv", 13, "from the picture, want a constant", func(m *maker, v string) ([]string, []attribute) { return []string{v, v}, nil }),
		with("Conv", 13, "has a bias [3], want [4]", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.random(1, k3...), m.random(1, 3)}, nil
		}),
		with("Conv", 13, "has NaN at 0", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.constant(floatTensor("", []float32{float32(math.NaN()), 0, 0, 0}, 4, 1, 1, 1))}, nil
		}),
		with("Conv", 13, "has whole numbers", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.ints(1, 2)}, nil }),
		with("ConvTranspose", 13, "has filters of 1x3, want square ones", filter([]int64{4, 4, 1, 3})),
		with("ConvTranspose", 13, "has output_padding 2, want less than the stride", filter(k3, intsAttr("output_padding", 2, 2))),
		with("ConvTranspose", 13, "names its output_shape [9 9]", filter(k3, intsAttr("output_shape", 9, 9))),
		with("ConvTranspose", 13, "has weights for 3 input channels, want 4", filter([]int64{3, 4, 3, 3})),
		with("BatchNormalization", 13, "has 3 values as", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.random(1, 3), m.random(1, 3), m.random(1, 3), m.random(1, 3)}, nil
		}),
		with("BatchNormalization", 13, "is in training mode", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.random(1, 4), m.random(1, 4), m.random(1, 4), m.random(1, 4)}, []attribute{intAttr("training_mode", 1)}
		}),
		with("BatchNormalization", 13, "divides by the root of a variance", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.random(1, 4), m.random(1, 4), m.random(1, 4), m.floats(-1, -1, -1, -1)}, nil
		}),
		with("PRelu", 13, "want one number or [4 1 1]", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.random(1, 5)}, nil }),
		with("Clip", 13, "clips to 1 to 0", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.scalar(1), m.scalar(0)}, nil }),
		with("Clip", 13, "has 2 values as min", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.floats(1, 2)}, nil }),
		with("Gelu", 20, `is approximated by "sigmoid"`, only(textAttr("approximate", "sigmoid"))),
		with("Add", 13, "has 1 inputs, want two", nil),
		with("Add", 13, "want one number or [4 1 1]", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.random(1, 1, 1, 7, 7)}, nil }),
		with("Add", 13, "takes 4 channels of 1x1 times the picture and 2 of 1x1 times the picture", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.conv(makerIn, 1, 2, 3)}, nil
		}),
		with("Mul", 13, "and 1 of 2x2 times the picture, want as many of one size", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.double(makerIn, 1)}, nil
		}),
		with("Div", 13, "divides by 0", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.scalar(0)}, nil }),
		with("Concat", 13, "works along axis 2, want 1", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, v}, []attribute{intAttr("axis", 2)}
		}),
		with("Concat", 13, "joins 1x1 times the picture and 2x2 times the picture", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.double(makerIn, 1)}, []attribute{intAttr("axis", 1)}
		}),
		with("Split", 13, "works along axis 3", only(intAttr("axis", 3))),
		with("Split", 11, "splits 4 channels into 2 parts, want 1", only(intAttr("axis", 1), intsAttr("split", 2, 2))),
		with("Slice", 13, "along axis 2 by steps of 1, want channels in a row", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(0), m.ints(5), m.ints(2)}, nil
		}),
		with("Slice", 13, "by steps of 2, want channels in a row", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(0), m.ints(4), m.ints(1), m.ints(2)}, nil
		}),
		with("Slice", 13, "steps [0]", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(0), m.ints(4), m.ints(1), m.ints(0)}, nil
		}),
		with("Slice", 13, "takes channels 3 to 2 of 4", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(3), m.ints(3), m.ints(1)}, nil
		}),
		with("Gather", 13, "takes channel 4 of 4", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(4)}, []attribute{intAttr("axis", 1)}
		}),
		with("Gather", 13, "works along axis 2", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(0)}, []attribute{intAttr("axis", 2)}
		}),
		with("DepthToSpace", 13, "has blocksize 3 for 4 channels", only(intAttr("blocksize", 3))),
		with("DepthToSpace", 13, `has mode "RCD"`, only(intAttr("blocksize", 2), textAttr("mode", "RCD"))),
		with("Reshape", 13, "does not fit [1 4 height width] values into [3 -1]", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.ints(3, -1)}, nil }),
		with("Conv", 13, "reads [1 4 width height] values in an order", func(m *maker, v string) ([]string, []attribute) {
			return []string{m.op("Transpose", []string{v}, intsAttr("perm", 0, 1, 3, 2)), m.random(1, k3...)}, nil
		}),
		with("Reshape", 13, "lacks input 1", nil),
		with("Transpose", 13, "has perm [0 1 2], want an order of 4 axes", only(intsAttr("perm", 0, 1, 2))),
		with("Squeeze", 13, "takes axis 1 out of [1 4 height width]", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.ints(1)}, nil }),
		with("Unsqueeze", 13, "inserts axes [0 0]", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.ints(0, 0)}, nil }),
		with("Resize", 13, `has mode "area"`, only(textAttr("mode", "area"))),
		with("Resize", 13, `has coordinates "tf_crop_and_resize"`, only(textAttr("coordinate_transformation_mode", "tf_crop_and_resize"))),
		with("Resize", 13, `rounds by "up"`, only(textAttr("nearest_mode", "up"))),
		with("Resize", 13, "excludes what is outside", only(intAttr("exclude_outside", 1))),
		with("Resize", 13, "scales by [1 1 2], want", func(m *maker, v string) ([]string, []attribute) { return []string{v, "", m.floats(1, 1, 2)}, nil }),
		with("Resize", 13, "want a whole multiple up to 8", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, "", m.floats(1, 1, 1.5, 1.5)}, nil
		}),
		with("Resize", 13, "want [1 4 height width]", func(m *maker, v string) ([]string, []attribute) { return []string{v, "", "", m.ints(2, 4, 9, 9)}, nil }),
		with("Upsample", 7, "has no scales", nil),
		with("Pad", 13, `has mode "wrap"`, only(textAttr("mode", "wrap"))),
		with("Pad", 13, "has pads [0 1 0 0 0 0 0 0]", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(0, 1, 0, 0, 0, 0, 0, 0)}, nil
		}),
		with("Pad", 13, "has pads [0 0 -1 0 0 0 0 0]", func(m *maker, v string) ([]string, []attribute) {
			return []string{v, m.ints(0, 0, -1, 0, 0, 0, 0, 0)}, nil
		}),
		with("MaxPool", 13, "has no square kernel_shape", only(intsAttr("kernel_shape", 2, 3))),
		with("MaxPool", 13, "has auto_pad, ceil_mode or dilations", only(intsAttr("kernel_shape", 2, 2), intAttr("ceil_mode", 1))),
		with("ReduceMax", 13, "want the axis of the channels, kept", only(intsAttr("axes", 1), intAttr("keepdims", 0))),
		with("ReduceMax", 13, "works along axis 2", only(intsAttr("axes", 2))),
		with("MatMul", 13, "multiplies no matrix of a picture's rows", func(m *maker, v string) ([]string, []attribute) { return []string{v, m.random(1, 4, 4)}, nil }),
		with("MatMul", 13, "repeats no edge of the picture", func(m *maker, v string) ([]string, []attribute) {
			return []string{m.reshape(v, 4*anyHeight, anyWidth), m.random(1, 4, 4)}, nil
		}),
		with("Cast", 13, "makes int64 of the picture", only(intAttr("to", int(typeInt64)))),
		with("HardSigmoid", 13, "reads the constant", func(m *maker, v string) ([]string, []attribute) { return []string{m.random(1, 4)}, nil }),
		{"Gather", 13, "takes element 9 of 4", func(m *maker) string {
			return m.op("Add", []string{m.double(makerIn, 1), m.op("Gather", []string{m.op("Shape", []string{makerIn}), m.ints(9)})})
		}},
		{"Div", 13, "divides by 0", func(m *maker) string { return m.op("Div", []string{m.ints(1), m.ints(0)}) }},
		{"ConstantOfShape", 13, "constants, more than a file of this size may", func(m *maker) string {
			return m.op("ConstantOfShape", []string{m.ints(1<<20, 1<<20)})
		}},
		{"ConstantOfShape", 13, "more elements than can be counted", func(m *maker) string {
			return m.op("ConstantOfShape", []string{m.ints(1<<40, 1<<40)})
		}},
		{"Concat", 13, "joins constants of different kinds", func(m *maker) string {
			return m.op("Concat", []string{m.ints(1), m.floats(1)}, intAttr("axis", 0))
		}},
		{"Constant", 13, `has "sparse_value", want a tensor or numbers`, func(m *maker) string {
			return m.op("Constant", nil, intAttr("sparse_value", 1))
		}},
	}
}

// TestRefused wants the node, its operator, the set and the reason in one
// sentence.
func TestRefused(t *testing.T) {
	rng := check.Rand(t)
	for _, c := range refusedCases() {
		m := newMaker(rng, c.set, 1, 0, 0)
		c.build(m)
		_, err := graphOf(m.file(makerIn), ImportOptions{})
		if err == nil || !strings.Contains(err.Error(), ": "+c.op+" (opset ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, opset %d: error %v, want %q", c.op, c.set, err, c.want)
		}
		if err != nil && (len(err.Error()) > 400 || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: an error of %d bytes", c.op, len(err.Error()))
		}
	}
}

// TestRefusedGraphs wants the whole network to enlarge a picture.
func TestRefusedGraphs(t *testing.T) {
	rng := check.Rand(t)
	for want, build := range map[string]func(m *maker) string{
		"has 1 colors, 1 times the width and 1 times the height of the input, want 1 and a whole number up to 8 for both": func(m *maker) string {
			return m.pad(makerIn, "edge", 0, 0, 1, 1, 0, 0, 1, 1)
		},
		"has 4 colors":                              func(m *maker) string { return m.conv(makerIn, 1, 4, 3) },
		`output "enlarged" is the input`:            func(m *maker) string { return makerIn },
		`"enlarged" does not depend on the picture`: func(m *maker) string { return m.random(1, 1, 1, 4, 4) },
	} {
		m := newMaker(rng, 13, 1, 0, 0)
		if _, err := graphOf(m.file(build(m)), ImportOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for _, white := range []float32{-1, float32(math.Inf(1)), float32(math.NaN())} {
		m := newMaker(rng, 13, 1, 0, 0)
		if _, err := graphOf(m.file(m.double(makerIn, 1)), ImportOptions{Range: white}); err == nil || !strings.Contains(err.Error(), "range") {
			t.Errorf("range %v: %v", white, err)
		}
	}
}
