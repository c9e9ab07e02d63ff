//go:build arm64 && !noasm

package q8

import "evosr/internal/kernel"

const (
	needsI8MM    = "NEON with USDOT"
	needsDotProd = "NEON with SDOT"
)

var hasI8MM, hasDotProd = kernel.CPU().I8MM, kernel.CPU().DotProd
