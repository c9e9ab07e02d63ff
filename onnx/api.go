package onnx

import (
	"io"

	"evosr/space"
)

// ExportOptions says how Export writes a network. The zero value is opset 13
// with dynamic height and width.
type ExportOptions struct {
	Opset int               // 11 to 21; 0 means 13
	Meta  map[string]string // further metadata_props, such as "psnr_db"; Export's own keys win

	// Size of the input in pixels; 0 leaves a side dynamic.
	Width, Height int

	// Portable asks for operators that old importers know: Reshape and
	// Transpose in place of DepthToSpace, MatMul in place of Pad. It needs
	// Width and Height.
	Portable bool
}

// Export writes net as an ONNX file.
func Export(w io.Writer, net *space.Subnet, o ExportOptions) error { panic("soon") }

// Model is a decoded ONNX file.
type Model struct{}

// Decode reads an ONNX file from memory.
func Decode(data []byte) (*Model, error) { panic("soon") }

// Subnet recognises a graph that fits the layers of room space.
func (m *Model) Subnet() (*space.Subnet, error) { panic("soon") }

// Meta gives a copy of the metadata.
func (m *Model) Meta() map[string]string { panic("soon") }

// Opset is the version of the standard operators the file asks for.
func (m *Model) Opset() int { panic("soon") }

// Read reads a network and its metadata from an ONNX file.
func Read(r io.Reader) (*space.Subnet, map[string]string, error) { panic("soon") }
