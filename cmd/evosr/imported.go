package main

import (
	"bytes"
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

// mistaken are what people take for a model: how it begins, in small letters, and
// what it is.
var mistaken = []struct{ begins, what string }{
	{"version https://git-lfs", "a Git LFS pointer, not the file itself: run git lfs pull"},
	{"<!doctype", "a web page, not a model: the download gave an error or a preview"},
	{"<html", "a web page, not a model: the download gave an error or a preview"},
	{"not found", "what a server says where there is no such file, not a model"},
	{"pk\x03\x04", "a ZIP archive or a PyTorch checkpoint, not an ONNX file: export it with torch.onnx.export"},
	{"\x89hdf", "a Keras or HDF5 file, not an ONNX file: convert it with tf2onnx"},
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
		for _, f := range mistaken {
			begins := bytes.ToLower(bytes.TrimLeft(text[:min(len(text), 512)], " \t\r\n"))
			if bytes.HasPrefix(begins, []byte(f.begins)) {
				return nil, dataf("model %s: %s", path, f.what)
			}
		}
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
