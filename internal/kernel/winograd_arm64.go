//go:build arm64 && !noasm

package kernel

// winogradVariants lists none: on NEON a dense layer is convolved directly.
var winogradVariants []Variant

func newWinograd([]Variant) *winogradSet { return nil }
