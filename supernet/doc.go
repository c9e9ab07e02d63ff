// Package supernet holds the weight-shared network: one set of tensors from
// which every network of a space.Space is cut, its training, and the
// fine-tuning of one network that was cut out.
//
// Every slot has tensors of its own for each kind of block and each activation that
// it may hold, at the slot's largest width and expansion; a subnet takes the first channels of
// them. Head, tail and skip are shared by all. The skip starts as bicubic
// interpolation and everything else adds nearly nothing to it, so that a new
// Supernet is a bicubic upscaler.
//
// Where Supernet.Split divides the space, networks of unlike cost share no
// weights: each part has all tensors of its own.
//
// Training follows the sandwich rule of Yu & Huang, "Universally Slimmable
// Networks" (ICCV 2019, arXiv:1903.05134): each step trains the largest, the
// smallest and some random subnets of one part after the other, here with random pruning masks too, so that
// a pruned subnet works with the weights it inherits.
//
// Neither allocates per step: a step is a static plan of convolutions, their
// transposes and weight gradients by internal/kernel, one patch at a time so
// that activations stay in the cache. Sums run in an order that no number of
// threads changes, so equal options give equal bits on one kernel set.
package supernet
