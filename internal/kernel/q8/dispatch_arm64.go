//go:build arm64 && !noasm

package q8

import "evosr/internal/kernel"

const needsDotProd = "NEON with SDOT"

var hasDotProd = kernel.CPU().DotProd
