// Package space holds the nouns that every other room shares: the Space that is
// searched, the Genome that names one network in it, and the Subnet that is
// that network with its weights and masks.
//
// A network is a chain of convolutions over a trunk of Width channels:
//
//	picture -> head 3x3 -> slot 1 ... slot N -> tail 3x3 -> + skip 5x5 -> pixel shuffle
//
// The picture is extended by its own edge values, everything inside by zeros.
// The skip is a 5x5 convolution of the picture that starts as bicubic
// interpolation, so that an untrained network is already a bicubic upscaler.
//
// A slot is left out or holds one block, after Zhan et al., ICCV 2021
// (arXiv:2108.08910), and Yu et al., 2018 (WDSR-B, arXiv:1808.08718). Every
// convolution but the skip may be pruned by a scheme at a ratio of its own.
//
// Layout in words: weights are (output, input, row, column), masks the same.
package space
