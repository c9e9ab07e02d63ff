package onnx

// operator makes the values of a node.
type operator func(*importer, *node) ([]value, error)

// single is an operator of one output.
func single(f func(*importer, *node) (value, error)) operator {
	return func(im *importer, n *node) ([]value, error) {
		v, err := f(im, n)
		return []value{v}, err
	}
}

// operators lists what becomes a part of the graph. Constant is among those
// that fold.
func operators() map[string]operator {
	list := map[string]operator{
		"Conv":                  single((*importer).conv),
		"ConvTranspose":         single((*importer).deconv),
		"BatchNormalization":    single((*importer).normalise),
		"PRelu":                 single((*importer).activate),
		"Clip":                  single((*importer).activate),
		"Gelu":                  single((*importer).activate),
		"HardSigmoid":           single((*importer).hardSigmoid),
		"Add":                   single((*importer).arithmetic),
		"Sub":                   single((*importer).arithmetic),
		"Mul":                   single((*importer).arithmetic),
		"Div":                   single((*importer).arithmetic),
		"Neg":                   single((*importer).negate),
		"Sum":                   single((*importer).many),
		"Max":                   single((*importer).many),
		"Concat":                single((*importer).concat),
		"Split":                 (*importer).split,
		"Slice":                 single((*importer).slice),
		"Gather":                single((*importer).gather),
		"DepthToSpace":          single((*importer).depthToSpace),
		"Reshape":               single((*importer).reshape),
		"Transpose":             single((*importer).transpose),
		"Squeeze":               single((*importer).squeeze),
		"Unsqueeze":             single((*importer).unsqueeze),
		"Resize":                single((*importer).resize),
		"Upsample":              single((*importer).resize),
		"Pad":                   single((*importer).pad),
		"MaxPool":               single((*importer).pool),
		"AveragePool":           single((*importer).pool),
		"MatMul":                single((*importer).matmul),
		"Identity":              single((*importer).pass),
		"Cast":                  single((*importer).pass),
		"Dropout":               single((*importer).pass),
		"Pow":                   single((*importer).power),
		"Min":                   single((*importer).many),
		"GlobalAveragePool":     single((*importer).global),
		"GlobalMaxPool":         single((*importer).global),
		"Mean":                  single((*importer).many),
		"Softmax":               single((*importer).softmax),
		"Tile":                  single((*importer).tile),
		"Expand":                single((*importer).expand),
		"InstanceNormalization": single((*importer).normaliseInstance),
	}
	for op := range reductions {
		list[op] = single((*importer).reduce)
	}
	for _, u := range unaryOps {
		list[u.op] = single((*importer).unary)
	}
	return list
}

// pass takes a node that leaves values as they are. A Cast between float types
// is one: the runtime computes in float32.
func (im *importer) pass(n *node) (value, error) {
	if n.op == "Cast" {
		switch to := dataType(n.number("to", 0)); to {
		case typeFloat, typeFloat16, typeBFloat16, typeDouble:
		default:
			return value{}, im.bad(n, "makes %v of the picture, want a type with a fraction", to)
		}
	}
	return im.get(n, 0)
}
