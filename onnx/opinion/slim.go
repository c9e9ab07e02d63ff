//go:build slim

// Package opinion is left out of this build.
package opinion

import "errors"

// Included tells whether this build has the second implementation.
const Included = false

// Run says that onnx-go is left out.
func Run([]byte, []float32, int, int, int) ([]float32, error) {
	return nil, errors.New("opinion: this build leaves onnx-go out (-tags slim)")
}
