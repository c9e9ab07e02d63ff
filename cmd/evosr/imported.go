package main

import (
	"os"
	"path/filepath"

	"evosr/network"
	"evosr/onnx"
	"evosr/sparse"
)

// imported is the network of an ONNX file.
type imported struct {
	path  string
	graph *network.Graph
	meta  map[string]string
}

// importONNX reads a file's network.
func importONNX(path string, text []byte, o modelOptions) (*imported, error) {
	m, err := decodeONNX(path, text, o)
	if err != nil {
		return nil, err
	}
	g, err := m.Graph(onnx.ImportOptions{Range: float32(o.white)})
	if err != nil {
		return nil, dataf("model %s: %w", path, err)
	}
	return &imported{path: path, graph: g, meta: m.Meta()}, nil
}

func decodeONNX(path string, text []byte, o modelOptions) (*onnx.Model, error) {
	decode := onnx.Decode
	if o.external {
		folder, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			return nil, dataf("model %s: %w", path, reason(err))
		}
		defer folder.Close()
		decode = func(data []byte) (*onnx.Model, error) { return onnx.DecodeExternal(data, folder) }
	}
	m, err := decode(text)
	if err != nil {
		return nil, dataf("model %s: neither a program file nor an ONNX file that evosr can run: %w", path, err)
	}
	return m, nil
}

func (n *imported) compile(threads int) (*sparse.Program, error) {
	p, err := sparse.Compile(n.graph, sparse.Options{Threads: threads})
	if err != nil {
		return nil, dataf("model %s: %w", n.path, err)
	}
	p.SetMeta(n.meta)
	return p, nil
}
