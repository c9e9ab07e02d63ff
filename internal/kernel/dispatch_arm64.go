//go:build arm64 && !noasm

package kernel

// needsNEON is nothing to ask for: GOARM64=v8.0, the least that Go runs on, has
// it.
const needsNEON = "NEON"

// sets are the Sets of this processor, the fastest first.
var sets = []*Set{newSet("neon")}
