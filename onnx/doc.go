// Package onnx turns networks into ONNX files and ONNX files into networks.
//
// Export writes what every toolchain reads, for networks of evosr's own Pad, Conv,
// Relu, Add and DepthToSpace, one picture at a time, of any size unless one is
// asked for:
//
//	lr (1, colors, height, width) -> sr (1, colors, height*scale, width*scale)
//
// Values are codes/255, for luma those of studio range (16/255 to 235/255), as
// everywhere in evosr. Equal networks, options and metadata give equal bytes.
//
// Decode reads files that nobody vouches for. Nothing is allocated before the
// bytes that ask for it were seen, all of it together is at most eight times
// the file and 64 MiB, and no other file is opened unless DecodeExternal is
// asked to. It checks the graph (names, edges, cycles, shapes, data) but knows
// no operators; those are for Graph, which takes networks of any tool and names
// the node that does not fit.
//
// The wire format is Protocol Buffers, walked with protowire, for the
// generated types of other ONNX packages may not meet in one program. Field
// numbers are those of onnx.proto of ONNX 1.16 (IR version 10).
package onnx
