// Package stat is the statistics of the other rooms: correlation of ranks,
// quantiles, tests of two samples, least squares without negative terms, and how
// long work still takes.
package stat
