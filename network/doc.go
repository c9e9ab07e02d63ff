// Package network is the one language in which every room speaks of a network:
// a Graph of Nodes over planar pictures, with weights, masks and activations.
//
// What a search draws, what a file holds and what the runtime compiles are all
// Graphs. The package knows what each operation means (Reference computes it by
// definition), how large its outputs are, what it costs, and how its weights are
// pruned. It imports nothing of the other rooms.
//
// Layout in words: activations are planar (channels, height, width), weights
// (output, input, row, column), masks as weights.
package network
