// Package imaging brings pictures and video in and out and prepares them the
// way the super-resolution papers do.
//
// A Plane holds float32 values that are 8-bit codes divided by 255, so a
// rounded studio luma of 16..235 is 16/255..235/255. A Picture is studio YCbCr
// (BT.601, as MATLAB's rgb2ycbcr): Y = 16 + (65.481 R + 128.553 G + 24.966 B)/255
// with R, G and B in 0..255. Only Y is upscaled by a network; Cb, Cr and alpha
// are interpolated. A grey picture has no chroma and its values are luma
// already, in whatever range they are stored.
//
// Resize is MATLAB's imresize with the bicubic kernel. Downscale makes the low
// resolution of the papers with it: crop to a multiple of the scale, shrink with
// antialiasing, round once to 8 bits. Every benchmark figure rests on these two.
//
// Files are read header first: a file that asks for more pixels than allowed is
// refused before memory is allocated for them.
//
// Procedural draws training pictures ("dead leaves": occluding textured shapes
// with power-law sizes, after Lee, Mumford and Huang, IJCV 2001), for when there
// are no photographs.
package imaging
