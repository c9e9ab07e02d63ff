// Package sparse compiles a network, pruned or not, into a Program for this
// CPU and runs it.
//
// Compile is a chain of small passes: validate, mask (weights that are zero
// cost nothing), eliminate (dead channels and layers go, so that filter pruning
// gives smaller layers), choose (how many output channels a micro-kernel
// computes together, or Winograd, by a cost table). It first rewrites a
// graph into convolutions of the picture's size and one pixel shuffle at the end,
// as far as that goes; see rewrites. For each picture size a plan follows:
// rows of shifted bands, memory shared by tensors that do not live at the same
// time, and lists of (offset, weights) for the kernels. Plans are made on first
// use of a size and kept; after that a run only multiplies. It allocates
// nothing, and a weight that the mask removed costs neither memory nor time
// unless a kept weight shares its block.
//
// Threads take bands of rows and run one band through all layers while it is in
// their cache. Graphs that see the whole picture or enlarge inside run layer by
// layer over whole planes. A Program serves one goroutine at a time; Clone gives another
// goroutine its own memory and threads over the same weights and plans.
//
// Pictures are planar float32 (channels, height, width), code values / 255.
// Every pixel is summed in the same order whatever the threads and bands, so
// results do not depend on them. They differ from the dense network in the last
// bits; TestAgainstReference bounds by how much.
//
// The idea of choosing the sparsity so that the compiler can use it is from
// Zhan et al., ICCV 2021, arXiv:2108.08910.
package sparse
